-- version_at_position: the last version of a stream that was stored by a position of the log.
-- $1 stream, $2 position
SELECT version FROM events.log WHERE stream = $1 AND position <= $2 ORDER BY version DESC LIMIT 1;
