-- list_resources: a page of the objects of one kind and parent, newest first.
-- $1 account, $2 livemode, $3 cursor: the id of the object just before the page in list order, or null, $4 and $5 bounds of created, inclusive,
-- $6 how many at most, $7 kind, $8 facts they hold (JSON), $9 parent
-- A cursor names an object of any age, deleted ones too; one that is not there gives no row.
SELECT id, body
FROM projections.resource
WHERE account = $1 AND livemode = $2 AND kind = $7 AND parent = $9 AND facts @> $8::jsonb AND NOT deleted
  AND created >= $4 AND created <= $5
  AND (created, position) < (
    SELECT c.created, c.position FROM projections.resource c WHERE c.account = $1 AND c.livemode = $2 AND c.id = $3 AND c.kind = $7
    UNION ALL SELECT 9223372036854775807, 9223372036854775807 WHERE $3::text IS NULL)
ORDER BY created DESC, position DESC
LIMIT $6;
