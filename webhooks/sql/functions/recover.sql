-- Recovering: what an endpoint missed while it was stopped, or is asked to get once more, becomes deliveries by and by.
-- They give way to live ones, and never more of them than `outstanding_max` wait for an endpoint, so it does not matter
-- how much there is. What was delivered meanwhile or canceled is passed over.
--
-- What an endpoint with ordered delivery missed comes before whatever happens: it has no interest in that until it has
-- caught up with the log, and what was missed is no less live than the rest.

-- recover: do a step of every recovery that nobody else is at and whose endpoint is not stopped, over at most `batch`
-- notices each. Gives how many deliveries were made or canceled, and whether there is more to do.
-- Recoveries are locked one by one, in order of endpoint, as sync_endpoints goes through endpoints.
CREATE OR REPLACE FUNCTION webhooks.recover(batch integer, outstanding_max integer, OUT done integer, OUT more boolean)
LANGUAGE plpgsql AS $$
DECLARE
    work record;
    step record;
    last_endpoint text := '';
    last_version bigint := 0;
BEGIN
    done := 0;
    more := false;
    LOOP
        SELECT r.*, e.account, e.livemode, e.enabled_events, e.ordering INTO work
        FROM webhooks.recovery r
        JOIN webhooks.endpoint e ON e.id = r.endpoint_id AND e.stopped_at IS NULL AND e.status <> 'deleted'
        WHERE (r.endpoint_id, r.version) > (last_endpoint, last_version)
        ORDER BY r.endpoint_id, r.version LIMIT 1 FOR UPDATE OF r SKIP LOCKED;
        EXIT WHEN NOT FOUND;
        last_endpoint := work.endpoint_id;
        last_version := work.version;
        IF least(work.above, work.upto) > (SELECT w.in_order FROM webhooks.watermark w) THEN
            more := true; -- what it is to get from before is not made yet
            CONTINUE;
        END IF;
        PERFORM FROM webhooks.lane WHERE endpoint_id = work.endpoint_id FOR NO KEY UPDATE;
        IF work.replay <> 'all' THEN
            done := done + webhooks.cancel_superseded(work.endpoint_id, work.account, work.livemode, work.enabled_events, work.above,
                work.upto, work.replay = 'latest', work.ordering);
            DELETE FROM webhooks.recovery WHERE endpoint_id = work.endpoint_id AND version = work.version;
            UPDATE webhooks.endpoint SET status = 'enabled'
            WHERE id = work.endpoint_id AND status = 'disabled' AND stopped_at IS NULL;
        ELSE
            SELECT * INTO step FROM webhooks.backfill(work.endpoint_id, work.version, batch, outstanding_max);
            done := done + step.made;
            more := more OR step.more;
            CONTINUE WHEN step.made = 0;
        END IF;
        PERFORM webhooks.wake(ARRAY[work.endpoint_id]);
    END LOOP;
END $$;
