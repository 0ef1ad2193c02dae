-- What customers have besides their attributes: test clocks they live under, objects listed over all parents, and work
-- that is due later.

ALTER TABLE projections.customer ADD COLUMN test_clock text COLLATE "C";
DROP INDEX projections.customer_newest;
DROP INDEX projections.customer_email;
CREATE INDEX customer_newest ON projections.customer (account, livemode, created DESC, position DESC)
    WHERE NOT deleted AND test_clock IS NULL;
CREATE INDEX customer_email ON projections.customer (account, livemode, email, created DESC, position DESC)
    WHERE NOT deleted AND test_clock IS NULL AND email IS NOT NULL;
CREATE INDEX customer_clock ON projections.customer (account, livemode, test_clock, created DESC, position DESC)
    WHERE NOT deleted AND test_clock IS NOT NULL;

ALTER TABLE projections.resource DROP CONSTRAINT resource_pkey;
ALTER TABLE projections.resource ADD CONSTRAINT resource_pkey PRIMARY KEY (account, livemode, kind, id);
CREATE INDEX resource_of_kind ON projections.resource (account, livemode, kind, created DESC, position DESC)
    WHERE NOT deleted;

CREATE TABLE projections.due (
    kind text COLLATE "C" NOT NULL,                -- of the stream whose work it is
    id text COLLATE "C" NOT NULL,
    task text COLLATE "C" NOT NULL,                -- who does it: tax_id.verify
    subject text COLLATE "C" NOT NULL,             -- what in the stream it is about
    account text COLLATE "C" NOT NULL,
    livemode boolean NOT NULL,
    due_at bigint NOT NULL,                        -- Unix seconds, of the test clock where there is one
    test_clock text COLLATE "C",
    tries integer NOT NULL DEFAULT 0,              -- that failed
    try_at bigint NOT NULL,                        -- Unix seconds of the machine; see projections.try_at
    CONSTRAINT due_pkey PRIMARY KEY (kind, id, task, subject)
);
CREATE INDEX due_next ON projections.due (try_at);
CREATE INDEX due_of_clock ON projections.due (test_clock, due_at) WHERE test_clock IS NOT NULL;
GRANT SELECT, INSERT, UPDATE, DELETE ON projections.due TO rollbook_service;

ALTER TYPE projections.customer_row ADD ATTRIBUTE test_clock text;
ALTER TYPE projections.resource_row ADD ATTRIBUTE event integer;
CREATE TYPE projections.due_row AS (
    item integer, account text, livemode boolean, kind text, id text, task text, subject text, due_at bigint,
    test_clock text
);
DROP FUNCTION IF EXISTS projections.commit(
    events.item[], events.draft[], projections.customer_row[], projections.resource_row[], projections.notice_row[]);
