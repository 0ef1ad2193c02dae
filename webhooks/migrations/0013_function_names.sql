-- Functions that only other functions call get the names of what they do. Those are replaced after this file.
-- compatible from: webhooks/migrations/0012_set_aside.sql

DO $$
DECLARE
    old record;
BEGIN
    FOR old IN
        SELECT p.oid::regprocedure AS function, renamed.name
        FROM pg_proc p JOIN (VALUES
            ('bring', 'backfill'), ('settle', 'cancel_superseded'), ('line_up', 'reorder'),
            ('keep_endpoints', 'sync_endpoints')
        ) AS renamed(before, name) ON p.proname = renamed.before
        WHERE p.pronamespace = 'webhooks'::regnamespace
    LOOP
        EXECUTE format('ALTER FUNCTION %s RENAME TO %I', old.function, old.name);
    END LOOP;
END $$;
