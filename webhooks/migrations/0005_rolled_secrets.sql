-- Secrets are rolled: the older ones sign beside the new one until their time is over.

ALTER TABLE webhooks.endpoint ADD COLUMN secrets_until bigint[] NOT NULL DEFAULT '{}';
ALTER TYPE webhooks.served ADD ATTRIBUTE secrets_until bigint[];
