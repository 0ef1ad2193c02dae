-- list_resources_before: a page of the objects of one kind and parent, oldest first, so that a page before the cursor ends at it.
-- $1 account, $2 livemode, $3 cursor: the id of the object just after the page in list order, or null, $4 and $5 bounds of created, inclusive,
-- $6 how many at most, one more than are shown, $7 bytes of bodies at most, $8 kind, $9 facts that they contain (JSON), $10 parent
-- The parent is asked for twice: the planner takes that for a few rows at most, and so goes by the index of parents even
-- where nearly all objects have one parent and it would rather look through all of them.
-- The cursor may be a deleted object; an unknown one returns no row.
-- A row beyond the page has a null body: the additional one, and those that exceed the bytes, except the first.
SELECT CASE WHEN row_number() OVER page = 1 OR row_number() OVER page < $6 AND sum(octet_length(body)) OVER page <= $7
    THEN body END AS body
FROM (
    SELECT body, created, position
    FROM projections.resource
    WHERE account = $1 AND livemode = $2 AND kind = $8 AND parent = $10 AND parent BETWEEN $10 AND $10
      AND facts @> $9::jsonb AND NOT deleted
      AND created >= $4 AND created <= $5
      AND (created, position) > (
        SELECT c.created, c.position FROM projections.resource c WHERE c.account = $1 AND c.livemode = $2 AND c.id = $3 AND c.kind = $8
        UNION ALL SELECT -9223372036854775808, -9223372036854775808 WHERE $3::text IS NULL)
    ORDER BY created, position
    LIMIT $6
) AS found
WINDOW page AS (ORDER BY created, position ROWS UNBOUNDED PRECEDING)
ORDER BY created, position;
