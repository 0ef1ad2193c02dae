-- Owners of endpoints are told when they fail.

ALTER TABLE webhooks.endpoint
    ADD COLUMN told_since bigint NOT NULL DEFAULT 0,
    ADD COLUMN told_hours integer NOT NULL DEFAULT 0;
