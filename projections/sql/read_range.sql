-- read_range: every event of a range of streams, stream by stream, in order.
-- $1 first stream, $2 last stream, $3 the last position
SELECT position, stream, version, account, livemode, type, schema_version, payload, hash, recorded_at, actor, request_id,
    idempotency_key, correlation_id, causation_id
FROM events.log WHERE stream >= $1 AND stream <= $2 AND position <= $3
ORDER BY stream, version;
