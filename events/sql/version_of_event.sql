-- version_of_event: the version, in a stream, of the event at a position; no row where it is another stream's.
-- $1 stream, $2 position
SELECT version FROM events.log WHERE position = $2 AND stream = $1;
