-- Recovering: what an endpoint missed while it was stopped, or is asked to get once more, becomes deliveries by and by.
-- They give way to live ones, and never more of them than `outstanding_max` wait for an endpoint, so it does not matter
-- how much there is. What was delivered meanwhile or canceled is passed over.

-- recover: do a step of every recovery that nobody else is at and whose endpoint is not stopped, over at most `batch`
-- notices each. Gives how many deliveries were made or canceled, and whether there is more to do.
CREATE OR REPLACE FUNCTION webhooks.recover(batch integer, outstanding_max integer, OUT done integer, OUT more boolean)
LANGUAGE plpgsql AS $$
DECLARE
    work record;
    room integer;
    passed integer;
    high bigint;
    made integer;
BEGIN
    done := 0;
    more := false;
    FOR work IN
        SELECT r.*, e.account, e.livemode, i.enabled_events
        FROM webhooks.recovery r JOIN webhooks.endpoint e ON e.id = r.endpoint_id AND e.stopped_at IS NULL
        JOIN webhooks.interest i ON i.endpoint_id = r.endpoint_id AND i.upto IS NULL
        ORDER BY r.endpoint_id, r.version FOR UPDATE OF r SKIP LOCKED
    LOOP
        IF work.replay <> 'all' THEN
            done := done + webhooks.settle(work.endpoint_id, work.account, work.livemode, work.enabled_events, work.above,
                work.upto, work.replay = 'latest');
            DELETE FROM webhooks.recovery WHERE endpoint_id = work.endpoint_id AND version = work.version;
            UPDATE webhooks.endpoint SET status = 'enabled'
            WHERE id = work.endpoint_id AND status = 'disabled' AND stopped_at IS NULL;
            PERFORM webhooks.wake(work.endpoint_id);
            CONTINUE;
        END IF;

        SELECT outstanding_max - count(*) INTO room FROM (
            SELECT FROM webhooks.delivery WHERE endpoint_id = work.endpoint_id AND recovered LIMIT outstanding_max
        ) AS waiting;
        IF room = 0 THEN
            more := true;
            CONTINUE;
        END IF;
        WITH next AS MATERIALIZED (
            SELECT n.sequence, n.appended_at, n.type FROM projections.notice n
            WHERE n.account = work.account AND n.livemode = work.livemode AND n.sequence > work.above
              AND n.sequence <= work.upto AND n.appended_at >= work.since
            ORDER BY n.sequence LIMIT least(batch, room)
        ), delivery AS (
            INSERT INTO webhooks.delivery (sequence, endpoint_id, appended_at, due_at, recovered)
            SELECT n.sequence, work.endpoint_id, n.appended_at, clock_timestamp(), true
            FROM next n
            WHERE work.enabled_events && ARRAY['*', n.type] AND n.type <> 'rollbook.endpoint.test' AND NOT EXISTS (
                SELECT FROM webhooks.attempt a
                WHERE a.endpoint_id = work.endpoint_id AND a.sequence = n.sequence AND a.at >= n.appended_at
                  AND a.outcome IN ('delivered', 'canceled'))
            ON CONFLICT DO NOTHING
            RETURNING 1
        )
        SELECT (SELECT count(*) FROM next), (SELECT max(sequence) FROM next), (SELECT count(*) FROM delivery)
        INTO passed, high, made;
        IF passed < least(batch, room) THEN
            DELETE FROM webhooks.recovery WHERE endpoint_id = work.endpoint_id AND version = work.version;
        ELSE
            UPDATE webhooks.recovery SET above = high WHERE endpoint_id = work.endpoint_id AND version = work.version;
            more := true;
        END IF;
        IF made > 0 THEN
            done := done + made;
            PERFORM webhooks.wake(work.endpoint_id);
        END IF;
    END LOOP;
END $$;

-- settle: cancel what is pending for an endpoint up to `upto`; but when only the `latest` notice of each object is
-- wanted, keep that, be it pending or one it missed above `above`. Gives how many were canceled or made.
CREATE OR REPLACE FUNCTION webhooks.settle(
    endpoint text, account text, livemode boolean, enabled_events text[], above bigint, upto bigint, latest boolean
) RETURNS integer LANGUAGE plpgsql SET enable_hashjoin = on AS $$
DECLARE
    kept bigint[] := '{}';
    canceled integer;
    made integer := 0;
BEGIN
    IF latest THEN
        SELECT coalesce(array_agg(newest.sequence), '{}') INTO kept FROM (
            SELECT DISTINCT ON (told.object_id) told.sequence FROM (
                SELECT n.object_id, n.sequence FROM webhooks.delivery d
                JOIN projections.notice n ON n.sequence = d.sequence AND n.appended_at = d.appended_at
                WHERE d.endpoint_id = $1 AND d.sequence <= $6
                UNION ALL
                SELECT n.object_id, n.sequence FROM projections.notice n
                WHERE n.account = $2 AND n.livemode = $3 AND n.sequence > $5 AND n.sequence <= $6
                  AND $4 && ARRAY['*', n.type] AND n.type <> 'rollbook.endpoint.test'
            ) AS told
            ORDER BY told.object_id, told.sequence DESC
        ) AS newest;
    END IF;
    canceled := webhooks.cancel(endpoint, ARRAY(
        SELECT d.sequence FROM webhooks.delivery d
        LEFT JOIN unnest(kept) AS k(sequence) ON k.sequence = d.sequence
        WHERE d.endpoint_id = $1 AND d.sequence <= $6 AND k.sequence IS NULL
    ));
    IF latest THEN
        INSERT INTO webhooks.delivery (sequence, endpoint_id, appended_at, due_at, recovered)
        SELECT n.sequence, $1, n.appended_at, clock_timestamp(), true
        FROM unnest(kept) AS k(sequence) JOIN projections.notice n ON n.sequence = k.sequence
        WHERE k.sequence > $5
        ON CONFLICT DO NOTHING;
        GET DIAGNOSTICS made = ROW_COUNT;
    END IF;
    RETURN canceled + made;
END $$;

-- cancel: end deliveries of an endpoint that are pending, untried. An attempt that is on its way there now is made, and
-- not recorded. Gives how many there were.
CREATE OR REPLACE FUNCTION webhooks.cancel(endpoint text, sequences bigint[]) RETURNS integer
LANGUAGE plpgsql AS $$
DECLARE
    canceled integer;
BEGIN
    IF cardinality(sequences) = 0 THEN
        RETURN 0;
    END IF;
    PERFORM events.make_day('webhooks.attempt', (clock_timestamp() AT TIME ZONE 'UTC')::date);
    WITH ended AS (
        DELETE FROM webhooks.delivery d WHERE d.endpoint_id = $1 AND d.sequence = ANY ($2) RETURNING d.*
    )
    INSERT INTO webhooks.attempt (at, endpoint_id, sequence, notice_id, attempt, outcome, duration_ms, excerpt)
    SELECT clock_timestamp(), d.endpoint_id, d.sequence, n.id, d.attempts, 'canceled', 0, ''
    FROM ended d JOIN projections.notice n ON n.sequence = d.sequence AND n.appended_at = d.appended_at;
    GET DIAGNOSTICS canceled = ROW_COUNT;
    RETURN canceled;
END $$;

-- resend: make a delivery of a notice to an endpoint anew, whatever became of an earlier one; where it is pending, let it
-- be due at once.
CREATE OR REPLACE FUNCTION webhooks.resend(endpoint text, sequence bigint) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO webhooks.delivery AS d (sequence, endpoint_id, appended_at, due_at)
    SELECT n.sequence, $1, n.appended_at, clock_timestamp() FROM projections.notice n WHERE n.sequence = $2
    ON CONFLICT ON CONSTRAINT delivery_pkey DO UPDATE SET due_at = least(d.due_at, excluded.due_at), recovered = false;
    PERFORM webhooks.wake(endpoint);
END $$;

-- wake: have a worker look at the lane of an endpoint, as soon as it may be served.
CREATE OR REPLACE FUNCTION webhooks.wake(endpoint text) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    moment timestamptz := clock_timestamp();
BEGIN
    PERFORM FROM webhooks.lane WHERE endpoint_id = endpoint FOR NO KEY UPDATE;
    UPDATE webhooks.lane SET ready_at = greatest(moment, open_until, quiet_until)
    WHERE endpoint_id = endpoint AND ready_at > greatest(moment, open_until, quiet_until) AND NOT gone;
    PERFORM pg_notify('rollbook_lanes', '');
END $$;
