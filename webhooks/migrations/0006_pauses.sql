-- A pause keeps its position: what an endpoint missed is brought by and by, in deliveries that give way to live ones.

ALTER TABLE webhooks.endpoint ADD COLUMN stopped_at bigint;
UPDATE webhooks.endpoint SET stopped_at = (SELECT sequence FROM projections.notice_head) WHERE status = 'disabled';

CREATE TABLE webhooks.recovery (
    endpoint_id text COLLATE "C" NOT NULL,
    version bigint NOT NULL,
    above bigint NOT NULL,
    upto bigint NOT NULL,
    since timestamptz NOT NULL,
    replay text COLLATE "C" NOT NULL CHECK (replay IN ('all', 'latest', 'skip')),
    CONSTRAINT recovery_pkey PRIMARY KEY (endpoint_id, version)
);
GRANT SELECT, INSERT, UPDATE, DELETE ON webhooks.recovery TO rollbook_service;

ALTER TABLE webhooks.delivery ADD COLUMN recovered boolean NOT NULL DEFAULT false;
DROP INDEX webhooks.delivery_head;
CREATE INDEX delivery_head ON webhooks.delivery (endpoint_id, recovered, due_at, sequence);
DROP INDEX webhooks.attempt_gave_up;
CREATE INDEX attempt_in_vain ON webhooks.attempt (sequence) WHERE outcome IN ('gave_up', 'canceled');

ALTER TYPE webhooks.report ADD ATTRIBUTE spare integer;
ALTER TYPE webhooks.head ADD ATTRIBUTE recovered boolean;
