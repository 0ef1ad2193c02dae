-- read_stored: the events of a stretch of the log as they are stored, in the order of events/verify.py.
-- $1 position before the first, $2 the last position, $3 how many at most
SELECT position, stream, version, type, schema_version, account, livemode,
    (extract(epoch FROM recorded_at) * 1000000)::bigint AS recorded_us,
    actor, request_id, idempotency_key, correlation_id, causation_id, payload, hash
FROM events.log WHERE position > $1 AND position <= $2
ORDER BY position LIMIT $3;
