-- first_resources: the newest objects of one kind that are not deleted, for each of many parents.
-- $1 account, $2 livemode, $3 kind, $4 parents, $5 how many of each at most, $6 facts that they contain (JSON), $7 bytes of
-- bodies at most
-- A body that exceeds the bytes is null, with its size beside it.
SELECT parent, bytes, CASE WHEN sum(bytes) OVER page <= $7 THEN body END AS body
FROM (
    SELECT asked.parent, r.body, octet_length(r.body) AS bytes, r.created, r.position
    FROM unnest($4::text[]) AS asked(parent)
    CROSS JOIN LATERAL (
        SELECT body, created, position FROM projections.resource
        WHERE account = $1 AND livemode = $2 AND kind = $3 AND parent = asked.parent AND facts @> $6::jsonb AND NOT deleted
        ORDER BY created DESC, position DESC
        LIMIT $5
    ) AS r
) AS found
WINDOW page AS (ORDER BY parent, created DESC, position DESC ROWS UNBOUNDED PRECEDING)
ORDER BY parent, created DESC, position DESC;
