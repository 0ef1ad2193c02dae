-- forget_versions: delete objects, and what belongs to them, from the versions of read models that are not in use: the one
-- that a rebuild fills, which makes them again of what is left, and the one that is kept for a rollback.
-- It is for the service's role, which may not read those versions.
CREATE OR REPLACE FUNCTION projections.forget_versions(account text, livemode boolean, ids text[]) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
DECLARE
    version record;
BEGIN
    FOR version IN
        SELECT c.oid::regclass AS name, CASE WHEN c.relname = 'resource' THEN ' OR parent = ANY ($3)' ELSE '' END AS also
        FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE n.nspname IN ('projections_next', 'projections_previous') AND c.relkind = 'r'
          AND c.relname IN ('customer', 'resource', 'search')
    LOOP
        EXECUTE format('DELETE FROM %s WHERE account = $1 AND livemode = $2 AND (id = ANY ($3)%s)',
                       version.name, version.also)
        USING account, livemode, ids;
    END LOOP;
END $$;

REVOKE ALL ON FUNCTION projections.forget_versions FROM public;
GRANT EXECUTE ON FUNCTION projections.forget_versions TO rollbook_service;
