-- Partitions are made by the owner of the tables, on behalf of the service's role, which may not.
-- A partition is made beside its parent and then attached: that takes no lock that readers or writers wait for.

-- extend_log: make the partitions that positions up to `upto` need. The caller holds the head row.
CREATE OR REPLACE FUNCTION events.extend_log(upto bigint) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
DECLARE
    low bigint;
    size bigint;
    name text;
BEGIN
    SELECT partition_end, partition_size INTO low, size FROM events.head FOR UPDATE;
    WHILE low <= upto LOOP
        name := format('log_%s', low);
        EXECUTE format('CREATE TABLE events.%I (LIKE events.log INCLUDING DEFAULTS INCLUDING CONSTRAINTS)', name);
        EXECUTE format('ALTER TABLE events.log ATTACH PARTITION events.%I FOR VALUES FROM (%s) TO (%s)',
                       name, low, low + size);
        EXECUTE format('CREATE TRIGGER log_is_never_truncated BEFORE TRUNCATE ON events.%I '
                       'FOR EACH STATEMENT EXECUTE FUNCTION events.refuse_change()', name);
        low := low + size;
    END LOOP;
    UPDATE events.head SET partition_end = low;
END $$;

REVOKE ALL ON FUNCTION events.extend_log FROM public;
GRANT EXECUTE ON FUNCTION events.extend_log TO rollbook_service;
