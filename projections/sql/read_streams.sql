-- read_streams: every event of some streams, stream by stream, in order.
-- $1 streams, $2 the last position
SELECT position, stream, version, account, livemode, type, schema_version, payload, hash, recorded_at, actor, request_id,
    idempotency_key, correlation_id, causation_id
FROM events.log WHERE stream = ANY ($1) AND position <= $2
ORDER BY stream, version;
