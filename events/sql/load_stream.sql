-- load_stream: one stream's events above a version, in order, with the key that unseals them.
-- $1 stream, $2 version
SELECT l.*, k.wrapped
FROM events.log l LEFT JOIN keys.subject k USING (stream)
WHERE l.stream = $1 AND l.version > $2
ORDER BY l.version;
