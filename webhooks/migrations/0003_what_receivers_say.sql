-- What receivers say counts: when they would hear from us again, that they have too much to do, that they are gone.

ALTER TABLE webhooks.endpoint ADD COLUMN lane_version bigint;
UPDATE webhooks.endpoint SET lane_version = version;
ALTER TABLE webhooks.endpoint ALTER COLUMN lane_version SET NOT NULL;

ALTER TABLE webhooks.lane
    ADD COLUMN step_in integer NOT NULL DEFAULT 0,
    ADD COLUMN quiet_until timestamptz,
    ADD COLUMN failing_since timestamptz,
    ADD COLUMN failures_in_a_row integer NOT NULL DEFAULT 0,
    ADD COLUMN gone boolean NOT NULL DEFAULT false;
CREATE INDEX lane_failing ON webhooks.lane (failing_since) WHERE failing_since IS NOT NULL;

ALTER TYPE webhooks.report
    ADD ATTRIBUTE step_in integer, ADD ATTRIBUTE quiet_until timestamptz, ADD ATTRIBUTE failing_since timestamptz,
    ADD ATTRIBUTE failures_in_a_row integer, ADD ATTRIBUTE gone boolean;
ALTER TYPE webhooks.served
    ADD ATTRIBUTE step_in integer, ADD ATTRIBUTE quiet_until timestamptz, ADD ATTRIBUTE failing_since timestamptz,
    ADD ATTRIBUTE failures_in_a_row integer, ADD ATTRIBUTE gone boolean;
