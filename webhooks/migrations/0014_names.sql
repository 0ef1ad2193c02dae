-- The watermark of fan-out, what an owner was notified of, and the recovered deliveries a report asks for have the names
-- that the code has for them. What the release before reads stays under its name beside them: a view, and two columns that
-- are generated, for which the table is written anew (a row an endpoint). Its reports are sent by position, not by name.
-- compatible from: webhooks/migrations/0012_set_aside.sql

ALTER TABLE webhooks.floor RENAME TO watermark;
ALTER TABLE webhooks.endpoint RENAME COLUMN told_since TO notified_since;
ALTER TABLE webhooks.endpoint RENAME COLUMN told_hours TO notified_hours;
ALTER TYPE webhooks.report RENAME ATTRIBUTE spare TO recovered;

-- Constraints are named after them: the checks, and from PostgreSQL 18 on what is not null.
DO $$
DECLARE
    old record;
BEGIN
    FOR old IN
        SELECT conrelid::regclass AS relation, conname AS name,
            regexp_replace(regexp_replace(conname, '^floor_', 'watermark_'), '^endpoint_told_', 'endpoint_notified_') AS becomes
        FROM pg_constraint WHERE conrelid IN ('webhooks.watermark'::regclass, 'webhooks.endpoint'::regclass)
    LOOP
        IF old.name <> old.becomes THEN
            EXECUTE format('ALTER TABLE %s RENAME CONSTRAINT %I TO %I', old.relation, old.name, old.becomes);
        END IF;
    END LOOP;
END $$;

CREATE VIEW webhooks.floor AS SELECT sequence, appended_at, in_order FROM webhooks.watermark;
GRANT SELECT ON webhooks.floor TO rollbook_service;
ALTER TABLE webhooks.endpoint
    ADD COLUMN told_since bigint GENERATED ALWAYS AS (notified_since) STORED,
    ADD COLUMN told_hours integer GENERATED ALWAYS AS (notified_hours) STORED;
