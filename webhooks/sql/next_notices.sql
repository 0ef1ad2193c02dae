-- next_notices: the notices after one, in order.
-- $1 sequence of the last one, $2 its appended_at, which spares the partitions of earlier days, $3 how many at most
SELECT sequence, appended_at, id, account, livemode, type, created, position, version, object_id, body, traceparent
FROM projections.notice
WHERE appended_at >= $2 AND sequence > $1
ORDER BY sequence
LIMIT $3;
