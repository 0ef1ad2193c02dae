-- rewrap_subjects: replace wrapped keys of streams, where they are as they were read: one that is erased stays so.
-- $1 streams, $2 as read, $3 rewrapped
UPDATE keys.subject k SET wrapped = n.wrapped
FROM unnest($1::text[], $2::bytea[], $3::bytea[]) AS n (stream, was, wrapped)
WHERE k.stream = n.stream AND k.wrapped = n.was;
