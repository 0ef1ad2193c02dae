-- rewrap_endpoint_secrets: replace sealed signing secrets, where they are as they were read.
-- A trigger brings webhooks.endpoint along, see sync_endpoints.sql: the caller holds the head row, as an append does.
-- $1 accounts, $2 livemodes, $3 ids, $4 as read, $5 resealed
UPDATE projections.resource r SET facts = jsonb_set(r.facts, '{secrets}', n.secrets)
FROM unnest($1::text[], $2::boolean[], $3::text[], $4::jsonb[], $5::jsonb[]) AS n (account, livemode, id, was, secrets)
WHERE r.account = n.account AND r.livemode = n.livemode AND r.kind = 'webhook_endpoint' AND r.id = n.id
    AND r.facts -> 'secrets' = n.was;
