-- read_replay: the next events up to a position, stream by stream, in order of version, with the key of the stream.
-- $1 and $2 stream and version that were read last, $3 the last position, $4 how many
SELECT l.*, k.wrapped
FROM (
    SELECT * FROM events.log WHERE (stream, version) > ($1, $2) AND position <= $3 ORDER BY stream, version LIMIT $4
) AS l
LEFT JOIN keys.subject k ON k.stream = l.stream
ORDER BY l.stream, l.version;
