-- What has been applied to this database: migrations, and functions with the digest of their text. The processes read
-- it to know whether they can work with the database; compatible_from names the migration that one must know for that,
-- null for the row's own. See events/migrate.py.
CREATE SCHEMA IF NOT EXISTS events;
CREATE TABLE IF NOT EXISTS events.migration (
    name text COLLATE "C" PRIMARY KEY,
    digest text NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT now()
);
ALTER TABLE events.migration ADD COLUMN IF NOT EXISTS compatible_from text COLLATE "C";
GRANT USAGE ON SCHEMA events TO rollbook_service;
GRANT SELECT ON events.migration TO rollbook_service;
