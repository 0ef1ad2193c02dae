-- rewrap_digests: replace wrapped secrets of digests, where they are as they were read.
-- $1 purposes, $2 as read, $3 rewrapped
UPDATE keys.digest k SET wrapped = n.wrapped
FROM unnest($1::text[], $2::bytea[], $3::bytea[]) AS n (purpose, was, wrapped)
WHERE k.purpose = n.purpose AND k.wrapped = n.was;
