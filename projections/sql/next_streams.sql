-- next_streams: the streams that follow one in order of name.
-- $1 the stream, $2 the last that may be given (null for no such limit), $3 how many at most
SELECT stream, account, livemode, version FROM events.stream
WHERE stream > $1 AND ($2::text IS NULL OR stream <= $2) ORDER BY stream LIMIT $3;
