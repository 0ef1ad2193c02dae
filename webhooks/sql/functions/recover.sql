-- Recovering: what an endpoint missed while it was stopped, or is asked to get once more, becomes deliveries by and by.
-- They give way to live ones, and never more of them than `outstanding_max` wait for an endpoint, so it does not matter
-- how much there is. What was delivered meanwhile or canceled is passed over.
--
-- What an endpoint that is told in order missed comes before whatever happens: it has no interest in that until it has
-- caught up with the log, and what was missed is no less live than the rest.

-- recover: do a step of every recovery that nobody else is at and whose endpoint is not stopped, over at most `batch`
-- notices each. Gives how many deliveries were made or canceled, and whether there is more to do.
-- Recoveries are locked one by one, in order of endpoint, as keep_endpoints goes through endpoints.
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
        IF least(work.above, work.upto) > (SELECT f.in_order FROM webhooks.floor f) THEN
            more := true; -- what it is to get from before is not made yet
            CONTINUE;
        END IF;
        PERFORM FROM webhooks.lane WHERE endpoint_id = work.endpoint_id FOR NO KEY UPDATE;
        IF work.replay <> 'all' THEN
            done := done + webhooks.settle(work.endpoint_id, work.account, work.livemode, work.enabled_events, work.above,
                work.upto, work.replay = 'latest', work.ordering);
            DELETE FROM webhooks.recovery WHERE endpoint_id = work.endpoint_id AND version = work.version;
            UPDATE webhooks.endpoint SET status = 'enabled'
            WHERE id = work.endpoint_id AND status = 'disabled' AND stopped_at IS NULL;
        ELSE
            SELECT * INTO step FROM webhooks.bring(work.endpoint_id, work.version, batch, outstanding_max);
            done := done + step.made;
            more := more OR step.more;
            CONTINUE WHEN step.made = 0;
        END IF;
        PERFORM webhooks.wake(ARRAY[work.endpoint_id]);
    END LOOP;
END $$;

-- bring: a step of one recovery, which the caller has locked, and its lane. When it is over, it is removed; and where it
-- was to come before whatever happens, its endpoint has its interest back from there on.
CREATE OR REPLACE FUNCTION webhooks.bring(
    endpoint text, version bigint, batch integer, outstanding_max integer, OUT made integer, OUT more boolean
) LANGUAGE plpgsql AS $$
DECLARE
    work record;
    head bigint;
    last boolean;
    room integer;
    passed integer;
    high bigint;
BEGIN
    made := 0;
    SELECT r.*, e.account, e.livemode, e.enabled_events, e.ordering INTO work
    FROM webhooks.recovery r JOIN webhooks.endpoint e ON e.id = r.endpoint_id
    WHERE r.endpoint_id = endpoint AND r.version = bring.version;
    head := work.upto;
    IF work.in_order THEN
        SELECT sequence INTO head FROM projections.notice_head;
    END IF;
    SELECT outstanding_max - count(*) INTO room FROM (
        SELECT FROM webhooks.delivery
        WHERE endpoint_id = endpoint AND recovered = NOT work.in_order LIMIT outstanding_max
    ) AS waiting;
    last := NOT work.in_order OR head - work.above < least(batch, room);
    IF work.in_order AND last THEN
        -- While nothing is being told: what comes after is its own again.
        SELECT sequence INTO head FROM projections.notice_head FOR UPDATE;
    END IF;
    WITH next AS MATERIALIZED (
        SELECT n.sequence, n.appended_at, n.type, CASE work.ordering WHEN 'customer' THEN n.stream WHEN 'strict' THEN '' END AS key
        FROM projections.notice n
        WHERE n.account = work.account AND n.livemode = work.livemode AND n.sequence > work.above
          AND n.sequence <= head AND n.appended_at >= work.since
        ORDER BY n.sequence LIMIT least(batch, room)
    ), delivery AS (
        INSERT INTO webhooks.delivery (sequence, endpoint_id, appended_at, due_at, recovered, key)
        SELECT w.sequence, endpoint, w.appended_at,
            CASE WHEN w.key IS NULL OR w.place = 1 AND NOT EXISTS (
                SELECT FROM webhooks.delivery d
                WHERE d.endpoint_id = endpoint AND d.recovered = NOT work.in_order AND d.key = w.key
            ) THEN clock_timestamp() ELSE 'infinity' END, NOT work.in_order, w.key
        FROM (
            SELECT n.*, row_number() OVER (PARTITION BY n.key ORDER BY n.sequence) AS place
            FROM next n
            WHERE work.enabled_events && ARRAY['*', n.type] AND n.type <> 'rollbook.endpoint.test' AND NOT EXISTS (
                SELECT FROM webhooks.attempt a
                WHERE a.endpoint_id = endpoint AND a.sequence = n.sequence AND a.at >= n.appended_at
                  AND a.outcome IN ('delivered', 'canceled'))
              AND NOT EXISTS (
                SELECT FROM webhooks.delivery d WHERE d.sequence = n.sequence AND d.endpoint_id = endpoint)
        ) AS w
        ON CONFLICT DO NOTHING
        RETURNING 1
    )
    SELECT (SELECT count(*) FROM next), (SELECT max(sequence) FROM next), (SELECT count(*) FROM delivery)
    INTO passed, high, made;
    more := NOT last OR passed = least(batch, room);
    IF more THEN
        UPDATE webhooks.recovery r
        SET above = CASE WHEN passed = least(batch, room) THEN coalesce(high, r.above) ELSE head END,
            upto = greatest(r.upto, head)
        WHERE r.endpoint_id = endpoint AND r.version = bring.version;
        RETURN;
    END IF;
    DELETE FROM webhooks.recovery r WHERE r.endpoint_id = endpoint AND r.version = bring.version;
    IF work.in_order THEN
        INSERT INTO webhooks.interest (endpoint_id, account, livemode, above, enabled_events, ordering)
        VALUES (endpoint, work.account, work.livemode, head, work.enabled_events, work.ordering);
    END IF;
END $$;

-- settle: cancel what is pending for an endpoint up to `upto`; but when only the `latest` notice of each object is
-- wanted, keep that, be it pending or one it missed above `above`. Gives how many were canceled or made. The caller has
-- locked the lane.
CREATE OR REPLACE FUNCTION webhooks.settle(
    endpoint text, account text, livemode boolean, enabled_events text[], above bigint, upto bigint, latest boolean,
    ordering text
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
        INSERT INTO webhooks.delivery (sequence, endpoint_id, appended_at, due_at, recovered, key)
        SELECT n.sequence, $1, n.appended_at, clock_timestamp(), ordering = 'none',
            CASE ordering WHEN 'customer' THEN n.stream WHEN 'strict' THEN '' END
        FROM unnest(kept) AS k(sequence) JOIN projections.notice n ON n.sequence = k.sequence
        WHERE k.sequence > $5
        ON CONFLICT DO NOTHING;
        GET DIAGNOSTICS made = ROW_COUNT;
        IF ordering <> 'none' THEN
            PERFORM webhooks.line_up(endpoint);
        END IF;
    END IF;
    RETURN canceled + made;
END $$;

-- line_up: of the deliveries of each key of an endpoint let the first be due, unless it is held, and no other. The caller
-- has locked the lane.
CREATE OR REPLACE FUNCTION webhooks.line_up(endpoint text) RETURNS void
LANGUAGE sql AS $$
    UPDATE webhooks.delivery d SET due_at = CASE WHEN r.first THEN clock_timestamp() ELSE 'infinity' END
    FROM (
        SELECT sequence, row_number() OVER (PARTITION BY recovered, key ORDER BY sequence) = 1 AS first
        FROM webhooks.delivery WHERE endpoint_id = endpoint AND key IS NOT NULL
    ) AS r
    WHERE d.sequence = r.sequence AND d.endpoint_id = endpoint
      AND CASE WHEN r.first THEN d.due_at = 'infinity' AND NOT d.held ELSE d.due_at < 'infinity' END
$$;

-- cancel: end deliveries of an endpoint that are pending, untried, so that what waits for them goes on. An attempt that is
-- on its way there now is made, and not recorded. Gives how many there were.
CREATE OR REPLACE FUNCTION webhooks.cancel(endpoint text, sequences bigint[]) RETURNS integer
LANGUAGE plpgsql AS $$
DECLARE
    canceled integer;
    endpoints text[];
    recovered boolean[];
    keys text[];
BEGIN
    IF cardinality(sequences) = 0 THEN
        RETURN 0;
    END IF;
    PERFORM FROM webhooks.lane WHERE endpoint_id = endpoint FOR NO KEY UPDATE;
    PERFORM events.make_day('webhooks.attempt', (clock_timestamp() AT TIME ZONE 'UTC')::date);
    WITH ended AS (
        DELETE FROM webhooks.delivery d WHERE d.endpoint_id = $1 AND d.sequence = ANY ($2) RETURNING d.*
    ), recorded AS (
        INSERT INTO webhooks.attempt (at, endpoint_id, sequence, notice_id, attempt, outcome, duration_ms, excerpt)
        SELECT clock_timestamp(), d.endpoint_id, d.sequence, n.id, d.attempts, 'canceled', 0, ''
        FROM ended d JOIN projections.notice n ON n.sequence = d.sequence AND n.appended_at = d.appended_at
    )
    SELECT count(*), array_agg(d.endpoint_id) FILTER (WHERE d.key IS NOT NULL),
        array_agg(d.recovered) FILTER (WHERE d.key IS NOT NULL), array_agg(d.key) FILTER (WHERE d.key IS NOT NULL)
    INTO canceled, endpoints, recovered, keys FROM ended d;
    IF keys IS NOT NULL THEN
        PERFORM webhooks.release(endpoints, recovered, keys);
        PERFORM webhooks.wake(ARRAY[endpoint]);
    END IF;
    RETURN canceled;
END $$;

-- resend: make a delivery of a notice to an endpoint anew, whatever became of an earlier one, in no order; where it is
-- pending, let it be due at once, unless it waits for one before it. One that was held has all its tries again.
CREATE OR REPLACE FUNCTION webhooks.resend(endpoint text, sequence bigint) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    PERFORM FROM webhooks.lane WHERE endpoint_id = endpoint FOR NO KEY UPDATE;
    INSERT INTO webhooks.delivery AS d (sequence, endpoint_id, appended_at, due_at)
    SELECT n.sequence, $1, n.appended_at, clock_timestamp() FROM projections.notice n WHERE n.sequence = $2
    ON CONFLICT ON CONSTRAINT delivery_pkey DO UPDATE
        SET due_at = CASE WHEN d.due_at = 'infinity' AND NOT d.held THEN d.due_at
                ELSE least(d.due_at, excluded.due_at) END,
            attempts = CASE WHEN d.held THEN 0 ELSE d.attempts END, held = false,
            recovered = d.recovered AND d.key IS NOT NULL;
    PERFORM webhooks.wake(ARRAY[endpoint]);
END $$;
