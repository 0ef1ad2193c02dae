-- find_stream: whose a stream is, its newest version, and the key that unseals it, if that was not destroyed.
-- $1 stream
SELECT s.account, s.livemode, s.version, k.wrapped
FROM events.stream s LEFT JOIN keys.subject k USING (stream)
WHERE s.stream = $1;
