-- The log: what happened, in the order in which it was committed. Everything else is derived from it.
--
-- head        one row; whoever appends holds it, so positions are gapless and in commit order
-- log         the events, partitioned by position; INSERT and SELECT only, by privilege and by trigger
-- stream      where each stream stands: its version and the hash its next event chains to
-- snapshot    the state of each longer stream at some version: derived, may be deleted at any time
-- tree        one row: how far the Merkle tree is, and its edge; whoever seals locks it
-- tile        the full tiles of the tree; INSERT and SELECT only
-- checkpoint  size and root of the tree, signed; INSERT and SELECT only
-- receipt     answers given under an idempotency key, partitioned by day and dropped after two
-- keys.subject  the key that unseals a stream's personal data in the log, wrapped
-- keys.master  a verifier of each master key that seals or sealed something here
-- keys.digest  the secrets of keyed digests, wrapped
-- keys.receipt_day  the key that unseals a day's receipts, wrapped; destroyed with the day

CREATE SCHEMA IF NOT EXISTS events;
CREATE SCHEMA keys;

CREATE TABLE events.head (
    singleton boolean PRIMARY KEY DEFAULT true CHECK (singleton),
    position bigint NOT NULL DEFAULT 0,
    partition_end bigint NOT NULL DEFAULT 0,       -- the first position that has no partition yet
    partition_size bigint NOT NULL DEFAULT 5000000
) WITH (fillfactor = 10);
INSERT INTO events.head DEFAULT VALUES;

CREATE TABLE events.log (
    position bigint NOT NULL,
    stream text COLLATE "C" NOT NULL,
    version bigint NOT NULL,
    account text COLLATE "C" NOT NULL,
    livemode boolean NOT NULL,
    type text COLLATE "C" NOT NULL,
    schema_version smallint NOT NULL,
    payload bytea NOT NULL,                        -- canonical JSON, personal fields sealed
    hash bytea NOT NULL,                           -- the chain's link: see events/chain.py
    recorded_at timestamptz NOT NULL,
    actor text NOT NULL,
    request_id text,
    idempotency_key text,
    correlation_id text,
    causation_id text,
    CONSTRAINT log_pkey PRIMARY KEY (position)
) PARTITION BY RANGE (position);
CREATE INDEX log_stream_version ON events.log (stream, version);

CREATE TABLE events.stream (
    stream text COLLATE "C" CONSTRAINT stream_pkey PRIMARY KEY,
    account text COLLATE "C" NOT NULL,
    livemode boolean NOT NULL,
    version bigint NOT NULL,
    hash bytea NOT NULL
) WITH (fillfactor = 80);

CREATE TABLE events.snapshot (
    stream text COLLATE "C" NOT NULL,
    code bytea NOT NULL,                           -- digest of the folding code: see events/folding_code.py
    version bigint NOT NULL,
    kept_at timestamptz NOT NULL,
    body bytea NOT NULL,                           -- the state, sealed: see events/snapshots.py
    CONSTRAINT snapshot_pkey PRIMARY KEY (stream, code)
) WITH (fillfactor = 70);
ALTER TABLE events.snapshot ALTER COLUMN body SET STORAGE EXTERNAL; -- sealed bytes do not compress

CREATE TABLE events.receipt (
    account text COLLATE "C" NOT NULL,
    livemode boolean NOT NULL,
    key text COLLATE "C" NOT NULL,
    answered_at timestamptz NOT NULL,
    route text NOT NULL,                           -- method and path
    fingerprint bytea NOT NULL,                    -- of everything the answer depended on
    request_id text NOT NULL,
    status smallint NOT NULL,
    body bytea NOT NULL,                           -- sealed with the day's key: see events/receipts.py
    CONSTRAINT receipt_pkey PRIMARY KEY (account, livemode, key, answered_at)
) PARTITION BY RANGE (answered_at);

CREATE TABLE events.tree (
    singleton boolean PRIMARY KEY DEFAULT true CHECK (singleton),
    size bigint NOT NULL DEFAULT 0,                -- the positions up to this one are sealed
    partial bytea[] NOT NULL DEFAULT '{}'          -- the edge: the hashes of each level's partial tile, the lowest first
);
INSERT INTO events.tree DEFAULT VALUES;

CREATE TABLE events.tile (
    level smallint NOT NULL,
    number bigint NOT NULL,
    hashes bytea NOT NULL,                         -- 256 hashes: see events/tiles.py
    CONSTRAINT tile_pkey PRIMARY KEY (level, number)
);
ALTER TABLE events.tile ALTER COLUMN hashes SET STORAGE EXTERNAL; -- hashes do not compress

CREATE TABLE events.checkpoint (
    size bigint CONSTRAINT checkpoint_pkey PRIMARY KEY,
    root bytea NOT NULL,
    origin text NOT NULL,
    note text NOT NULL,                            -- as it was signed: see events/checkpoint.py
    signed_at timestamptz NOT NULL
);

CREATE TABLE keys.subject (
    stream text COLLATE "C" CONSTRAINT subject_pkey PRIMARY KEY,
    wrapped bytea NOT NULL                         -- the key, sealed by a master key: see events/keys.py
);

CREATE TABLE keys.receipt_day (
    day date CONSTRAINT receipt_day_pkey PRIMARY KEY,
    wrapped bytea NOT NULL                         -- the key, sealed by a master key: see events/receipts.py
);

CREATE TABLE keys.master (
    name bytea CONSTRAINT master_pkey PRIMARY KEY, -- the first bytes of the key's digest, as in what it sealed
    verifier bytea NOT NULL,                       -- a known text sealed by it: see events/master_key.py
    registered_at timestamptz NOT NULL DEFAULT now(),
    retired_at timestamptz,                        -- from then on nothing may be sealed by it
    emptied_at timestamptz                         -- from then on nothing is, and processes need not have it
);

CREATE TABLE keys.digest (
    purpose text COLLATE "C" CONSTRAINT digest_pkey PRIMARY KEY, -- see DIGEST_PURPOSES in events/keys.py
    wrapped bytea NOT NULL                         -- the secret, sealed by a master key
);

-- What events.append takes: see events/sql/functions/append.sql.
CREATE TYPE events.item AS (
    stream text, expected bigint, events integer, hash bytea, account text, livemode boolean, subject_key bytea,
    key text, route text, fingerprint bytea, request_id text, status smallint, body bytea, leader integer
);
CREATE TYPE events.draft AS (
    item integer, stream text, version bigint, account text, livemode boolean, type text, schema_version smallint,
    payload bytea, hash bytea, recorded_at timestamptz, actor text, request_id text, idempotency_key text,
    correlation_id text, causation_id text
);
CREATE TYPE events.snapshot_row AS (item integer, stream text, code bytea, version bigint, body bytea);

-- History is immutable even for a role that was granted too much.
CREATE FUNCTION events.refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the log is append-only: % on %.% refused', TG_OP, TG_TABLE_SCHEMA, TG_TABLE_NAME
        USING ERRCODE = 'insufficient_privilege';
END $$;
CREATE TRIGGER log_is_append_only BEFORE UPDATE OR DELETE ON events.log
    FOR EACH ROW EXECUTE FUNCTION events.refuse_change();
CREATE TRIGGER log_is_never_truncated BEFORE TRUNCATE ON events.log
    FOR EACH STATEMENT EXECUTE FUNCTION events.refuse_change();
CREATE TRIGGER tile_is_append_only BEFORE UPDATE OR DELETE ON events.tile
    FOR EACH ROW EXECUTE FUNCTION events.refuse_change();
CREATE TRIGGER tile_is_never_truncated BEFORE TRUNCATE ON events.tile
    FOR EACH STATEMENT EXECUTE FUNCTION events.refuse_change();
CREATE TRIGGER checkpoint_is_append_only BEFORE UPDATE OR DELETE ON events.checkpoint
    FOR EACH ROW EXECUTE FUNCTION events.refuse_change();
CREATE TRIGGER checkpoint_is_never_truncated BEFORE TRUNCATE ON events.checkpoint
    FOR EACH STATEMENT EXECUTE FUNCTION events.refuse_change();

GRANT USAGE ON SCHEMA events, keys TO rollbook_service;
GRANT SELECT, UPDATE ON events.head TO rollbook_service;
GRANT SELECT, INSERT ON events.log TO rollbook_service;
GRANT SELECT, INSERT, UPDATE ON events.stream TO rollbook_service;
GRANT SELECT, INSERT, UPDATE, DELETE ON events.snapshot TO rollbook_service;
GRANT SELECT, UPDATE ON events.tree TO rollbook_service;
GRANT SELECT, INSERT ON events.tile TO rollbook_service;
GRANT SELECT, INSERT ON events.checkpoint TO rollbook_service;
GRANT SELECT, INSERT ON events.receipt TO rollbook_service;
GRANT SELECT, INSERT, UPDATE, DELETE ON keys.subject TO rollbook_service;
GRANT SELECT, INSERT, UPDATE, DELETE ON keys.receipt_day TO rollbook_service;
GRANT SELECT, INSERT, UPDATE ON keys.master, keys.digest TO rollbook_service;
