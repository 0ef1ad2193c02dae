-- A verifier of each master key that seals something here: see events/master_key.py.
-- compatible from: events/migrations/0002_together.sql
CREATE TABLE keys.master (
    name bytea CONSTRAINT master_pkey PRIMARY KEY,
    verifier bytea NOT NULL,
    registered_at timestamptz NOT NULL DEFAULT now()
);
GRANT SELECT, INSERT ON keys.master TO rollbook_service;
