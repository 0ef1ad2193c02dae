-- Endpoints are told in a version of the API of their own.

ALTER TABLE webhooks.endpoint ADD COLUMN api_version text COLLATE "C";
UPDATE webhooks.endpoint e
SET api_version = convert_from(r.body, 'UTF8')::jsonb ->> 'api_version'
FROM projections.resource r
WHERE r.kind = 'webhook_endpoint' AND r.id = e.id AND r.account = e.account AND r.livemode = e.livemode;

ALTER TYPE webhooks.head ADD ATTRIBUTE api_version text;
