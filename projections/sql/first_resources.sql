-- first_resources: the newest living objects of one kind for each of many parents.
-- $1 account, $2 livemode, $3 kind, $4 parents, $5 how many of each at most, $6 facts they hold (JSON)
SELECT asked.parent, r.body
FROM unnest($4::text[]) AS asked(parent)
CROSS JOIN LATERAL (
    SELECT body, created, position FROM projections.resource
    WHERE account = $1 AND livemode = $2 AND kind = $3 AND parent = asked.parent AND facts @> $6::jsonb AND NOT deleted
    ORDER BY created DESC, position DESC
    LIMIT $5
) AS r
ORDER BY asked.parent, r.created DESC, r.position DESC;
