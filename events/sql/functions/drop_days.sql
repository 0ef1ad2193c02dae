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

REVOKE ALL ON FUNCTION events.drop_days FROM public;
GRANT EXECUTE ON FUNCTION events.drop_days TO rollbook_service;
