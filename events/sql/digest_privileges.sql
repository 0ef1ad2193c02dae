-- digest_privileges: a digest of who may do what to all that is ours, partitions apart.
-- $1 the names of our schemas
SELECT md5(coalesce(string_agg(kind || ' ' || name || ' ' || coalesce(acl, ''), E'\n' ORDER BY kind, name), ''))
FROM (
    SELECT 'schema' AS kind, nspname::text AS name, nspacl::text AS acl FROM pg_namespace WHERE nspname = ANY($1)
    UNION ALL
    SELECT 'relation', n.nspname || '.' || c.relname, c.relacl::text
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname = ANY($1) AND c.relkind IN ('r', 'p', 'v', 'm', 'S') AND NOT c.relispartition
    UNION ALL
    SELECT 'function', n.nspname || '.' || p.proname || '(' || pg_get_function_identity_arguments(p.oid) || ')',
           p.proacl::text
    FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
    WHERE n.nspname = ANY($1) AND p.proname NOT LIKE '%\_\_replaced' -- which go: see events/migrate.py
) AS each;
