-- Read models: each row is what the API sends, written in the transaction that appended its event.
--
-- customer      the current customers and, for the deleted, where they stood in the list
-- resource      everything else the API lists: one row an object, of any kind
-- due           work that is due later, each piece found by its time
-- checkpoint    how far each follower of the log is
-- search        living customers under no test clock, by the terms they are found by; follows the log
-- notice        the public feed: the API's `event` objects, numbered without gaps; partitioned by day, kept 30 days
-- rebuild       rebuilds of read models beside those in use, and rebuild_range how far each part of one is
-- parked        streams that a read model cannot take in: an error of ours, until it is mended
-- notice_head   the last notice's number, and a time that never runs backwards

CREATE SCHEMA projections;

CREATE TABLE projections.customer (
    account text COLLATE "C" NOT NULL,
    livemode boolean NOT NULL,
    id text COLLATE "C" NOT NULL,
    created bigint NOT NULL,                       -- Unix seconds, as the API shows it
    position bigint NOT NULL,                      -- of the event that created it: the order within a second
    version bigint NOT NULL,                       -- of the stream, when the row was written
    deleted boolean NOT NULL,
    email text COLLATE "C",
    invoice_prefix text COLLATE "C",               -- null once deleted
    body bytea NOT NULL,
    test_clock text COLLATE "C",                   -- whose time it lives on; such customers have lists of their own
    CONSTRAINT customer_pkey PRIMARY KEY (account, livemode, id)
) WITH (fillfactor = 90, toast_tuple_target = 8160);
CREATE INDEX customer_newest ON projections.customer (account, livemode, created DESC, position DESC)
    WHERE NOT deleted AND test_clock IS NULL;
CREATE INDEX customer_email ON projections.customer (account, livemode, email, created DESC, position DESC)
    WHERE NOT deleted AND test_clock IS NULL AND email IS NOT NULL;
CREATE INDEX customer_clock ON projections.customer (account, livemode, test_clock, created DESC, position DESC)
    WHERE NOT deleted AND test_clock IS NOT NULL;
CREATE UNIQUE INDEX customer_invoice_prefix ON projections.customer (account, livemode, invoice_prefix);

CREATE TABLE projections.resource (
    account text COLLATE "C" NOT NULL,
    livemode boolean NOT NULL,
    id text COLLATE "C" NOT NULL,
    kind text COLLATE "C" NOT NULL,                -- the API's word for it: webhook_endpoint
    parent text COLLATE "C" NOT NULL,              -- the object it belongs to, or empty
    created bigint NOT NULL,
    position bigint NOT NULL,
    version bigint NOT NULL,
    deleted boolean NOT NULL,
    lookup text COLLATE "C",                       -- what it is found by besides its id: an API key's digest
    body bytea NOT NULL,
    facts jsonb NOT NULL,                          -- what our own code needs of it, never shown
    CONSTRAINT resource_pkey PRIMARY KEY (account, livemode, kind, id)
) WITH (fillfactor = 90);
CREATE INDEX resource_newest ON projections.resource (account, livemode, kind, parent, created DESC, position DESC)
    WHERE NOT deleted;
CREATE INDEX resource_of_kind ON projections.resource (account, livemode, kind, created DESC, position DESC)
    WHERE NOT deleted;
CREATE UNIQUE INDEX resource_lookup ON projections.resource (kind, lookup) WHERE lookup IS NOT NULL;
-- By the filters of lists: see projections/filters.py.
CREATE INDEX payment_method_type ON projections.resource
    (account, livemode, (facts ->> 'type'), (facts ->> 'allow_redisplay'), created DESC, position DESC)
    WHERE kind = 'payment_method' AND NOT deleted;
CREATE INDEX payment_method_of_customer ON projections.resource
    (account, livemode, parent, (facts ->> 'type'), (facts ->> 'allow_redisplay'), created DESC, position DESC)
    WHERE kind = 'payment_method' AND NOT deleted AND parent <> '';
CREATE INDEX promotion_code_active ON projections.resource
    (account, livemode, (facts ->> 'active'), created DESC, position DESC)
    WHERE kind = 'promotion_code' AND NOT deleted;
CREATE INDEX promotion_code_coupon ON projections.resource
    (account, livemode, (facts ->> 'coupon'), (facts -> 'active'), created DESC, position DESC)
    WHERE kind = 'promotion_code' AND NOT deleted;
CREATE INDEX promotion_code_customer ON projections.resource
    (account, livemode, (facts ->> 'customer'), created DESC, position DESC)
    WHERE kind = 'promotion_code' AND NOT deleted AND (facts ->> 'customer') IS NOT NULL;

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

CREATE TABLE projections.checkpoint (
    name text COLLATE "C" CONSTRAINT checkpoint_pkey PRIMARY KEY,
    position bigint NOT NULL DEFAULT 0             -- every event up to here is followed
) WITH (fillfactor = 50);
INSERT INTO projections.checkpoint (name) VALUES ('search.2');

CREATE TABLE projections.search (
    account text COLLATE "C" NOT NULL,
    livemode boolean NOT NULL,
    id text COLLATE "C" NOT NULL,
    created bigint NOT NULL,
    position bigint NOT NULL,
    email text COLLATE "C",                        -- this and the next two without regard to case
    name text COLLATE "C",
    phone text COLLATE "C",
    metadata jsonb NOT NULL,
    terms bigint[] NOT NULL,                       -- see projections/search/terms.py
    CONSTRAINT search_pkey PRIMARY KEY (account, livemode, id)
) WITH (fillfactor = 90);
CREATE INDEX search_newest ON projections.search (account, livemode, created DESC, position DESC);
CREATE INDEX search_terms ON projections.search USING gin (terms);

CREATE TABLE projections.notice (
    sequence bigint NOT NULL,                      -- gapless, in commit order
    appended_at timestamptz NOT NULL,              -- never runs backwards along the sequence
    id text COLLATE "C" NOT NULL,
    account text COLLATE "C" NOT NULL,
    livemode boolean NOT NULL,
    type text COLLATE "C" NOT NULL,
    created bigint NOT NULL,
    position bigint NOT NULL,                      -- of its event
    stream text COLLATE "C" NOT NULL,
    version bigint NOT NULL,
    object_id text COLLATE "C" NOT NULL,
    body bytea NOT NULL,
    traceparent text COLLATE "C",                  -- of the request it comes of, or of what we did of ourselves
    CONSTRAINT notice_pkey PRIMARY KEY (sequence, appended_at)
) PARTITION BY RANGE (appended_at);
CREATE INDEX notice_id ON projections.notice (id);
CREATE INDEX notice_newest ON projections.notice (account, livemode, sequence DESC);
CREATE INDEX notice_type ON projections.notice (account, livemode, type, sequence DESC);
CREATE INDEX notice_position ON projections.notice USING brin (position) WITH (autosummarize = on); -- it grows along the table

CREATE TABLE projections.notice_head (
    singleton boolean PRIMARY KEY DEFAULT true CHECK (singleton),
    sequence bigint NOT NULL DEFAULT 0,
    appended_at timestamptz NOT NULL DEFAULT '-infinity'
) WITH (fillfactor = 10);
INSERT INTO projections.notice_head DEFAULT VALUES;

CREATE TABLE projections.rebuild (
    name text COLLATE "C" CONSTRAINT rebuild_pkey PRIMARY KEY,
    state text COLLATE "C" NOT NULL CHECK (state IN ('filling', 'indexing', 'following', 'merging', 'done')),
    tables text[] NOT NULL,                        -- that are made anew
    code bytea NOT NULL,                           -- digest of the code that makes the rows
    snapshot bigint NOT NULL,                      -- the position up to which it is filled, batch by batch
    position bigint NOT NULL,                      -- the rows have every event up to here
    previous_position bigint,                      -- and those of the version before up to here
    started_at timestamptz NOT NULL DEFAULT now(),
    swapped_at timestamptz
);
CREATE TABLE projections.rebuild_range (
    name text COLLATE "C" NOT NULL,
    number integer NOT NULL,
    upto text COLLATE "C" NOT NULL,                -- streams up to here are done; before the first, where it begins
    last text COLLATE "C",                         -- the last stream; null for all that come
    events bigint NOT NULL DEFAULT 0,              -- that are done
    finished boolean NOT NULL DEFAULT false,
    CONSTRAINT rebuild_range_pkey PRIMARY KEY (name, number)
);
CREATE TABLE projections.parked (
    projection text COLLATE "C" NOT NULL,
    stream text COLLATE "C" NOT NULL,
    account text COLLATE "C" NOT NULL,
    livemode boolean NOT NULL,
    error text NOT NULL,                           -- its class, and our own words
    tries integer NOT NULL DEFAULT 1,
    parked_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT parked_pkey PRIMARY KEY (projection, stream)
);

-- Rows that changes bring to projections.commit; item is the 1-based index of their change in the batch.
CREATE TYPE projections.customer_row AS (
    item integer, account text, livemode boolean, id text, created bigint, version bigint, deleted boolean, email text,
    invoice_prefix text, body bytea, test_clock text
);
CREATE TYPE projections.resource_row AS (
    item integer, account text, livemode boolean, id text, kind text, parent text, created bigint, version bigint,
    deleted boolean, lookup text, body bytea, facts jsonb, event integer
);
CREATE TYPE projections.notice_row AS (
    item integer, event integer, id text, account text, livemode boolean, type text, created bigint, stream text,
    version bigint, object_id text, body bytea, traceparent text
);
CREATE TYPE projections.due_row AS (
    item integer, account text, livemode boolean, kind text, id text, task text, subject text, due_at bigint,
    test_clock text
);

GRANT USAGE ON SCHEMA projections TO rollbook_service;
GRANT SELECT, UPDATE ON projections.checkpoint TO rollbook_service;
GRANT SELECT, INSERT, UPDATE, DELETE, TRUNCATE ON projections.search TO rollbook_service;
GRANT SELECT, INSERT, UPDATE, DELETE, TRUNCATE ON projections.customer, projections.resource TO rollbook_service;
GRANT SELECT, INSERT, UPDATE, DELETE ON projections.due TO rollbook_service;
GRANT SELECT, INSERT, UPDATE (body) ON projections.notice TO rollbook_service; -- a notice is redacted with an erasure
GRANT SELECT, UPDATE ON projections.notice_head TO rollbook_service;
GRANT SELECT ON projections.rebuild TO rollbook_service;
GRANT SELECT, INSERT, UPDATE, DELETE ON projections.parked TO rollbook_service;
