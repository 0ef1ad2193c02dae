-- Rebuilds of read models beside those in use, and streams that a read model cannot take in.
-- compatible from: projections/migrations/0005_search_spellings.sql

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

GRANT SELECT ON projections.rebuild TO rollbook_service;
GRANT SELECT, INSERT, UPDATE, DELETE ON projections.parked TO rollbook_service;
