-- read_checkpoints: the checkpoints over a stretch of the log, in order.
-- $1 the size before the first, $2 the last size
SELECT size, root, origin, note FROM events.checkpoint WHERE size > $1 AND size <= $2 ORDER BY size;
