-- A Merkle tree over the log, sealed by a follower, and its signed checkpoints.
-- compatible from: events/migrations/0002_together.sql
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

CREATE TRIGGER tile_is_append_only BEFORE UPDATE OR DELETE ON events.tile
    FOR EACH ROW EXECUTE FUNCTION events.refuse_change();
CREATE TRIGGER tile_is_never_truncated BEFORE TRUNCATE ON events.tile
    FOR EACH STATEMENT EXECUTE FUNCTION events.refuse_change();
CREATE TRIGGER checkpoint_is_append_only BEFORE UPDATE OR DELETE ON events.checkpoint
    FOR EACH ROW EXECUTE FUNCTION events.refuse_change();
CREATE TRIGGER checkpoint_is_never_truncated BEFORE TRUNCATE ON events.checkpoint
    FOR EACH STATEMENT EXECUTE FUNCTION events.refuse_change();

GRANT SELECT, UPDATE ON events.tree TO rollbook_service;
GRANT SELECT, INSERT ON events.tile TO rollbook_service;
GRANT SELECT, INSERT ON events.checkpoint TO rollbook_service;
