-- wake: make workers look at lanes as soon as they can be served.
--
-- Each row is written even if that changes nothing: so a worker that releases the lane at this moment, without having
-- seen our deliveries, waits for us or we for it. A separate lock would make waking 10,000 lanes a fifth slower. Rows
-- are locked in order of id, as everywhere (deadlocks): they are looked up by their key, since plans are pinned.
CREATE OR REPLACE FUNCTION webhooks.wake(lanes text[]) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    moment timestamptz := clock_timestamp();
BEGIN
    UPDATE webhooks.lane SET ready_at = CASE WHEN gone THEN ready_at
        ELSE least(ready_at, greatest(moment, open_until, quiet_until, paced_until)) END
    WHERE endpoint_id = ANY (lanes);
    PERFORM pg_notify('rollbook_lanes', '');
END $$;
