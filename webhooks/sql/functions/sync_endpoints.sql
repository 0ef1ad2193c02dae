-- sync_endpoints: bring endpoints, their interests and their lanes to what rows of projections.resource now say.
--
-- It runs in the transaction that appended the change, which holds the log's head row: so no notice is being numbered
-- meanwhile, and the change takes effect exactly between two notices. One that is disabled keeps its position, and goes on
-- from there when it is enabled: see recover.sql. Rows are gone through in order of id, as whoever
-- locks several lanes does. Saying the same again changes nothing, so the rows may be rebuilt.
--
-- Fails on webhook_endpoint_limit when an account would have more living endpoints in one mode than the 16 of the API
-- reference, or than rollbook.endpoints_max where the database sets that.
CREATE OR REPLACE FUNCTION webhooks.sync_endpoints() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    head bigint;
    stopped_at bigint;
    said record;
    was webhooks.endpoint;
    wanted text[];
    restarts boolean;
    settled boolean;
    catching_up boolean;
    ordered text;
BEGIN
    FOR said IN
        SELECT id, account, livemode, version,
               facts ->> 'status' AS status,
               facts ->> 'url' AS url,
               facts ->> 'api_version' AS api_version,
               coalesce(facts ->> 'replay', 'all') AS replay,
               coalesce((facts ->> 'recoveries')::integer, 0) AS recoveries,
               coalesce((facts ->> 'cancellations')::integer, 0) AS cancellations,
               (facts ->> 'recovered_above')::bigint AS recovered_above,
               (facts ->> 'recovered_since')::bigint AS recovered_since,
               -- A process of the release before writes them as told_since and told_hours.
               coalesce((facts ->> 'notified_since')::bigint, (facts ->> 'told_since')::bigint, 0) AS notified_since,
               coalesce((facts ->> 'notified_hours')::integer, (facts ->> 'told_hours')::integer, 0) AS notified_hours,
               coalesce(facts -> 'rules' ->> 'order', 'none') AS ordering,
               coalesce(facts -> 'rules' ->> 'missed', 'send') AS missed,
               coalesce(facts -> 'rules' ->> 'on_exhaustion', 'skip') AS on_exhaustion,
               coalesce(facts -> 'rules' ->> 'payload', 'full') = 'thin' AS thin,
               (facts -> 'rules' ->> 'rate_limit')::integer AS rate_limit,
               (facts -> 'rules' ->> 'in_flight_max')::integer AS in_flight_max,
               ARRAY(SELECT jsonb_array_elements_text(facts -> 'enabled_events')) AS enabled_events,
               ARRAY(SELECT decode(jsonb_array_elements_text(facts -> 'secrets'), 'base64')) AS secrets,
               ARRAY(SELECT jsonb_array_elements_text(facts -> 'secrets_until')::bigint) AS secrets_until
        FROM changed WHERE kind = 'webhook_endpoint' ORDER BY id
    LOOP
        SELECT * INTO was FROM webhooks.endpoint WHERE id = said.id FOR UPDATE;
        -- Whatever its owner edits may be what our own code could not work with.
        restarts := said.status = 'enabled' AND ((was.status, was.url) IS DISTINCT FROM (said.status, said.url)
            OR was.version <> said.version
            AND (was.notified_since, was.notified_hours) = (said.notified_since, said.notified_hours)
            AND EXISTS (SELECT FROM webhooks.lane l WHERE l.endpoint_id = said.id AND l.set_aside IS NOT NULL));
        SELECT sequence INTO head FROM projections.notice_head;
        stopped_at := CASE WHEN said.status = 'disabled' THEN coalesce(was.stopped_at, head) END;
        IF said.status = 'disabled' AND was.stopped_at IS NULL THEN
            -- Stopped while it still was to get what it had missed: it goes on from there.
            WITH unfinished AS (
                DELETE FROM webhooks.recovery WHERE endpoint_id = said.id AND in_order RETURNING above
            )
            SELECT least(stopped_at, min(above)) INTO stopped_at FROM unfinished;
        END IF;
        IF said.status = 'enabled' AND was.stopped_at IS NOT NULL AND said.replay <> 'pending' THEN
            INSERT INTO webhooks.recovery (endpoint_id, version, above, upto, since, replay, in_order)
            VALUES (said.id, said.version, was.stopped_at, head, '-infinity', said.replay,
                said.replay = 'all' AND said.ordering <> 'none');
        END IF;
        IF was.id IS NOT NULL AND said.recoveries > was.recoveries THEN
            INSERT INTO webhooks.recovery (endpoint_id, version, above, upto, since, replay)
            VALUES (said.id, said.version, coalesce(said.recovered_above, 0), head,
                coalesce(to_timestamp(said.recovered_since), '-infinity'), 'all');
        END IF;
        IF was.id IS NOT NULL AND said.cancellations > was.cancellations AND said.status = 'enabled' THEN
            INSERT INTO webhooks.recovery (endpoint_id, version, above, upto, since, replay)
            VALUES (said.id, said.version, head, head, '-infinity', 'skip')
            ON CONFLICT DO NOTHING;
        END IF;
        -- Until it is settled what becomes of the deliveries that are pending, none of them is sent.
        settled := NOT EXISTS (SELECT FROM webhooks.recovery WHERE endpoint_id = said.id AND replay <> 'all');
        INSERT INTO webhooks.endpoint (id, account, livemode, version, status, url, secrets, api_version, lane_version,
            notified_since, notified_hours, secrets_until, stopped_at, recoveries, enabled_events, ordering, on_exhaustion,
            thin,
            rate_limit, in_flight_max, cancellations, missed)
        VALUES (said.id, said.account, said.livemode, said.version,
            CASE WHEN said.status = 'enabled' AND NOT settled THEN 'disabled' ELSE said.status END, said.url, said.secrets,
            said.api_version, said.version, said.notified_since, said.notified_hours, said.secrets_until,
            stopped_at, said.recoveries, said.enabled_events, said.ordering, said.on_exhaustion, said.thin, said.rate_limit,
            said.in_flight_max, said.cancellations, said.missed)
        ON CONFLICT (id) DO UPDATE SET version = excluded.version, status = excluded.status, url = excluded.url,
            secrets = excluded.secrets, api_version = excluded.api_version, notified_since = excluded.notified_since,
            notified_hours = excluded.notified_hours, secrets_until = excluded.secrets_until, stopped_at = excluded.stopped_at,
            recoveries = excluded.recoveries, enabled_events = excluded.enabled_events, ordering = excluded.ordering,
            on_exhaustion = excluded.on_exhaustion, thin = excluded.thin, rate_limit = excluded.rate_limit,
            in_flight_max = excluded.in_flight_max, cancellations = excluded.cancellations, missed = excluded.missed,
            lane_version = CASE WHEN restarts THEN excluded.version ELSE webhooks.endpoint.lane_version END;

        IF was.id IS NULL AND said.status <> 'deleted' AND (
            SELECT count(*) FROM webhooks.endpoint
            WHERE account = said.account AND livemode = said.livemode AND status <> 'deleted'
        ) > coalesce(nullif(current_setting('rollbook.endpoints_max', true), '')::integer, 16) THEN
            RAISE EXCEPTION 'account % has too many webhook endpoints', said.account
                USING ERRCODE = 'check_violation', CONSTRAINT = 'webhook_endpoint_limit';
        END IF;

        -- One that gets what it missed in order, before whatever comes, has no interest until then: see recover.sql.
        catching_up := said.status = 'enabled' AND EXISTS (
            SELECT FROM webhooks.recovery WHERE endpoint_id = said.id AND in_order);
        SELECT i.enabled_events, i.ordering INTO wanted, ordered FROM webhooks.interest i
        WHERE endpoint_id = said.id AND upto IS NULL;
        IF NOT catching_up AND (wanted, ordered) IS DISTINCT FROM (
            CASE WHEN said.status = 'enabled' THEN said.enabled_events END,
            CASE WHEN said.status = 'enabled' THEN said.ordering END
        ) THEN
            DELETE FROM webhooks.interest WHERE endpoint_id = said.id AND upto IS NULL AND above = head;
            UPDATE webhooks.interest SET upto = head WHERE endpoint_id = said.id AND upto IS NULL;
            IF said.status = 'enabled' THEN
                INSERT INTO webhooks.interest (endpoint_id, account, livemode, above, enabled_events, ordering)
                VALUES (said.id, said.account, said.livemode, head, said.enabled_events, said.ordering);
            END IF;
        END IF;

        IF was.id IS NULL THEN
            INSERT INTO webhooks.lane (endpoint_id) VALUES (said.id) ON CONFLICT DO NOTHING;
        ELSIF restarts THEN
            -- What the lane learnt was of another URL, or of a time before its owner put things right; the pace is its
            -- owner's.
            UPDATE webhooks.lane
            SET ready_at = greatest(clock_timestamp(), paced_until), concurrency = DEFAULT, open_until = DEFAULT, open_s = DEFAULT,
                unreachable_in_a_row = DEFAULT, window_started_at = DEFAULT, window_attempts = DEFAULT,
                window_failures = DEFAULT, step_in = DEFAULT, quiet_until = DEFAULT, failing_since = DEFAULT,
                failures_in_a_row = DEFAULT, gone = DEFAULT, set_aside = DEFAULT
            WHERE endpoint_id = said.id;
            UPDATE webhooks.delivery SET held = false, attempts = 0, due_at = clock_timestamp()
            WHERE endpoint_id = said.id AND held;
            PERFORM pg_notify('rollbook_lanes', '');
        END IF;
    END LOOP;
    RETURN NULL;
END $$;

CREATE OR REPLACE TRIGGER resource_inserted AFTER INSERT ON projections.resource
    REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION webhooks.sync_endpoints();
CREATE OR REPLACE TRIGGER resource_updated AFTER UPDATE ON projections.resource
    REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION webhooks.sync_endpoints();
