-- prepare_log: keep one partition ahead of need; called now and then, off the hot path.
CREATE OR REPLACE FUNCTION events.prepare_log() RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog AS $$
    SELECT events.extend_log(position + partition_size) FROM events.head
    WHERE partition_end <= position + partition_size / 2;
$$;

REVOKE ALL ON FUNCTION events.prepare_log FROM public;
GRANT EXECUTE ON FUNCTION events.prepare_log TO rollbook_service;
