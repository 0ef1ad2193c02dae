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

-- prepare_log: keep one partition ahead of need; called now and then, off the hot path.
CREATE OR REPLACE FUNCTION events.prepare_log() RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog AS $$
    SELECT events.extend_log(position + partition_size) FROM events.head
    WHERE partition_end <= position + partition_size / 2;
$$;

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

-- drop_days: drop the partitions of `parent` whose whole day is before `before`. Gives the number dropped.
-- Dropping one takes an exclusive lock on the parent, and every write that comes meanwhile queues behind it. So nothing
-- is dropped while a transaction has held a lock for long, as a dump's does for hours: that is left to a later call.
-- And the lock is waited for no longer than it takes the writes that are under way.
CREATE OR REPLACE FUNCTION events.drop_days(parent regclass, before date) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog SET lock_timeout = '50ms' AS $$
DECLARE
    partition record;
    holders text[];
    dropped integer := 0;
BEGIN
    IF before > (now() AT TIME ZONE 'UTC')::date THEN
        RAISE EXCEPTION 'refusing to drop days that are not over: before %', before;
    END IF;
    FOR partition IN
        SELECT c.oid, n.nspname, c.relname FROM pg_inherits i
        JOIN pg_class c ON c.oid = i.inhrelid JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE i.inhparent = parent AND c.relname ~ '_[0-9]{8}$'
          AND parent <> 'events.log'::regclass
          AND to_date(right(c.relname, 8), 'YYYYMMDD') < before
    LOOP
        IF holders IS NULL THEN
            holders := array(SELECT virtualtransaction FROM pg_locks WHERE relation IN (parent, partition.oid));
            PERFORM pg_sleep(0.2);
        END IF;
        IF EXISTS (SELECT FROM pg_locks WHERE relation IN (parent, partition.oid) AND virtualtransaction = ANY (holders)
                   AND pid <> pg_backend_pid()) THEN
            RETURN dropped;
        END IF;
        BEGIN
            EXECUTE format('DROP TABLE %I.%I', partition.nspname, partition.relname);
        EXCEPTION WHEN lock_not_available THEN
            RETURN dropped;
        END;
        dropped := dropped + 1;
    END LOOP;
    RETURN dropped;
END $$;

REVOKE ALL ON FUNCTION events.extend_log, events.prepare_log, events.make_day, events.drop_days FROM public;
GRANT EXECUTE ON FUNCTION events.extend_log, events.prepare_log, events.make_day, events.drop_days TO rollbook_service;
