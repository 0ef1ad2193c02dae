-- Recovery: the notices that an endpoint missed while it was disabled, or that are requested again, become deliveries
-- in small steps. Recovered deliveries have lower priority than live ones, and at most `outstanding_max` of them wait
-- per endpoint, so the size of the backlog does not matter. Notices delivered meanwhile or canceled are skipped.
--
-- For an endpoint with ordered delivery, missed notices precede new ones: it is not subscribed to new notices until the
-- recovery has reached the end of the log, and recovered deliveries have the priority of live ones.
--
-- recover: do one step of each recovery that no other transaction processes and whose endpoint is enabled, over at most
-- `batch` notices each. Returns the number of deliveries made or canceled, and whether there is more to do. Recoveries
-- are locked one by one, in order of endpoint (as in sync_endpoints, which avoids deadlocks).

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
            more := true; -- its earlier deliveries are not made yet
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
