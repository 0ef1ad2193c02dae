-- find_subject_key: the wrapped key of a stream; no row when it is destroyed.
-- $1 stream
SELECT wrapped FROM keys.subject WHERE stream = $1;
