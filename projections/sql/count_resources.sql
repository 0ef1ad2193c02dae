-- count_resources: the number of objects of one kind that are not deleted.
-- $1 account, $2 livemode, $3 and $4 bounds of created, inclusive, $5 kind, $6 facts that they contain (JSON), $7 parent, or null
-- for any
SELECT count(*) AS count
FROM projections.resource
WHERE account = $1 AND livemode = $2 AND kind = $5 AND facts @> $6::jsonb AND NOT deleted
  AND created >= $3 AND created <= $4 AND ($7::text IS NULL OR parent = $7);
