-- read_endpoint_secrets: the sealed signing secrets of the next endpoints, in order of id.
-- $1 the last id that was read, or empty, $2 how many
SELECT e.id, r.account, r.livemode, coalesce(r.facts -> 'secrets', '[]') AS secrets
FROM (SELECT id, account, livemode FROM webhooks.endpoint WHERE id > $1 ORDER BY id LIMIT $2) AS e
JOIN projections.resource r
    ON r.account = e.account AND r.livemode = e.livemode AND r.kind = 'webhook_endpoint' AND r.id = e.id
ORDER BY e.id;
