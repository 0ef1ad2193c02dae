-- The append keeps a snapshot of each longer stream: derived, may be deleted at any time.
-- compatible from: events/migrations/0002_together.sql
CREATE TABLE events.snapshot (
    stream text COLLATE "C" NOT NULL,
    code bytea NOT NULL,                           -- digest of the folding code: see events/folding_code.py
    version bigint NOT NULL,
    kept_at timestamptz NOT NULL,
    body bytea NOT NULL,                           -- the state, sealed: see events/snapshots.py
    CONSTRAINT snapshot_pkey PRIMARY KEY (stream, code)
) WITH (fillfactor = 70);
ALTER TABLE events.snapshot ALTER COLUMN body SET STORAGE EXTERNAL; -- sealed bytes do not compress
CREATE TYPE events.snapshot_row AS (item integer, stream text, code bytea, version bigint, body bytea);
GRANT SELECT, INSERT, UPDATE, DELETE ON events.snapshot TO rollbook_service;
