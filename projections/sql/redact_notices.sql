-- redact_notices: give notices other bodies.
-- $1 sequences, $2 times of appending, $3 bodies: one of each for every notice
UPDATE projections.notice n SET body = redacted.body
FROM unnest($1::bigint[], $2::timestamptz[], $3::bytea[]) AS redacted(sequence, appended_at, body)
WHERE n.sequence = redacted.sequence AND n.appended_at = redacted.appended_at;
