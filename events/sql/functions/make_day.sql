-- make_day: make the partition of `parent` that holds one UTC day, unless it is there.
CREATE OR REPLACE FUNCTION events.make_day(parent regclass, day date) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog SET timezone = 'UTC' AS $$
DECLARE
    schema text;
    name text;
BEGIN
    SELECT n.nspname, c.relname || to_char(day, '_YYYYMMDD') INTO schema, name
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = parent AND c.relkind = 'p';
    PERFORM pg_advisory_xact_lock(hashtext(schema || '.' || name));
    IF to_regclass(format('%I.%I', schema, name)) IS NOT NULL THEN
        RETURN;
    END IF;
    EXECUTE format('CREATE TABLE %I.%I (LIKE %s INCLUDING DEFAULTS INCLUDING CONSTRAINTS INCLUDING STORAGE)', schema, name, parent);
    EXECUTE format('ALTER TABLE %s ATTACH PARTITION %I.%I FOR VALUES FROM (%L) TO (%L)',
                   parent, schema, name, day::timestamptz, (day + 1)::timestamptz);
END $$;

REVOKE ALL ON FUNCTION events.make_day FROM public;
GRANT EXECUTE ON FUNCTION events.make_day TO rollbook_service;
