-- Owners give up all that is pending for an endpoint.

ALTER TABLE webhooks.endpoint ADD COLUMN cancellations integer NOT NULL DEFAULT 0;
