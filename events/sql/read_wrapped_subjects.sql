-- read_wrapped_subjects: the wrapped keys of the next streams, in order of stream.
-- $1 the last stream that was read, or empty, $2 how many
SELECT stream, wrapped FROM keys.subject WHERE stream > $1 ORDER BY stream LIMIT $2;
