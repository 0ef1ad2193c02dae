-- read_heads: where each stream stands, in the order of their names.
-- $1 the last stream before, $2 how many at most
SELECT stream, version, hash FROM events.stream WHERE stream > $1 ORDER BY stream LIMIT $2;
