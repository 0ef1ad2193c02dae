-- Master keys may be retired, and the secrets of keyed digests outlive them: see events/rewrap.py.
-- compatible from: events/migrations/0002_together.sql
ALTER TABLE keys.master ADD COLUMN retired_at timestamptz, ADD COLUMN emptied_at timestamptz;
CREATE TABLE keys.digest (
    purpose text COLLATE "C" CONSTRAINT digest_pkey PRIMARY KEY,
    wrapped bytea NOT NULL
);
GRANT UPDATE ON keys.subject, keys.receipt_day TO rollbook_service;
GRANT SELECT, INSERT, UPDATE ON keys.master, keys.digest TO rollbook_service;
