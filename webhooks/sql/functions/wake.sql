-- wake: have workers look at lanes, as soon as those may be served.
--
-- Each is written, even if it is to be looked at anyway: a worker that lets a lane go right now, not having seen our
-- deliveries, is waited for or waits for us. A separate lock would cost the wake of 10,000 lanes a fifth more. They are
-- gone through in order of id, as whoever locks several does, for they are looked up by their key (plans are pinned).
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
