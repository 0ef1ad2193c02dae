-- drop_other_due: delete the scheduled work of a stream that is not named.
-- $1 kind, $2 id, $3 tasks, $4 subjects: one of each for all that stay
DELETE FROM projections.due WHERE kind = $1 AND id = $2
    AND (task, subject) NOT IN (SELECT * FROM unnest($3::text[], $4::text[]));
