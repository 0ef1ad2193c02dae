-- read_hashes: the hashes of events above a position, in order.
-- $1 position, $2 how many at most
SELECT position, hash FROM events.log WHERE position > $1 ORDER BY position LIMIT $2;
