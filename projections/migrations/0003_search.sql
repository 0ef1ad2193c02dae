-- Search: living customers under no test clock, by the terms they are found by; and how far each follower of the log is.

CREATE TABLE projections.checkpoint (
    name text COLLATE "C" CONSTRAINT checkpoint_pkey PRIMARY KEY,
    position bigint NOT NULL DEFAULT 0             -- every event up to here is followed
) WITH (fillfactor = 50);
INSERT INTO projections.checkpoint (name) VALUES ('search');

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

GRANT SELECT, UPDATE ON projections.checkpoint TO rollbook_service;
GRANT SELECT, INSERT, UPDATE, DELETE, TRUNCATE ON projections.search TO rollbook_service;
