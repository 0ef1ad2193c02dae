-- rewrap_snapshots: replace sealed snapshots, where they are as they were read.
-- $1 streams, $2 codes, $3 as read, $4 resealed
UPDATE events.snapshot s SET body = n.body
FROM unnest($1::text[], $2::bytea[], $3::bytea[], $4::bytea[]) AS n (stream, code, was, body)
WHERE s.stream = n.stream AND s.code = n.code AND s.body = n.was;
