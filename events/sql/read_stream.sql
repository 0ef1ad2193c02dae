-- read_stream: some of a stream's events, in order.
-- $1 stream, $2 version after which, $3 last version, $4 how many at most
SELECT * FROM events.log WHERE stream = $1 AND version > $2 AND version <= $3 ORDER BY version LIMIT $4;
