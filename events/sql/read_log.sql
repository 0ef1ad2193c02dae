-- read_log: events of every stream above a position, in commit order; nothing can appear below one already seen.
-- $1 position, $2 how many at most
SELECT * FROM events.log WHERE position > $1 ORDER BY position LIMIT $2;
