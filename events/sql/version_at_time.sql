-- version_at_time: the last version of a stream that was recorded by a time.
-- $1 stream, $2 time
SELECT version FROM events.log WHERE stream = $1 AND recorded_at <= $2 ORDER BY version DESC LIMIT 1;
