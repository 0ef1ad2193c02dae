-- Operators look at deliveries, and ask for what an endpoint missed.

ALTER TABLE webhooks.endpoint ADD COLUMN recoveries integer NOT NULL DEFAULT 0;
CREATE INDEX attempt_of_failed ON webhooks.attempt (endpoint_id, sequence DESC) WHERE outcome IN ('gave_up', 'canceled');
