-- Fanning out: every notice becomes, once, a delivery for each endpoint that wants it.
--
-- Notices may be heard of in any order, so endpoints that are told in order get theirs in a second step, which goes along
-- the log behind the floor. It is a transaction of its own: each locks lanes in order of id, and so nobody waits in a ring.
--
-- The floor row decides between those who do it. Whoever marks notices holds it shared, whoever moves the floor holds
-- it alone, and both take it before they read anything else. So nobody marks what lies below the floor, where marks
-- are gone, and the floor never passes a notice whose deliveries might still be rolled back.

-- make_deliveries: give the notices named to the endpoints that want them in no order, and wake their lanes; one that
-- tests an endpoint goes to that alone, whatever it wants. For the functions below, which see to it that each notice comes
-- here once. `since` is no later than any of the notices was appended. Gives the number of deliveries.
CREATE OR REPLACE FUNCTION webhooks.make_deliveries(sequences bigint[], since timestamptz) RETURNS integer
LANGUAGE plpgsql AS $$
DECLARE
    moment timestamptz := clock_timestamp();
    lanes text[];
    made integer;
BEGIN
    BEGIN
        WITH delivery AS (
            INSERT INTO webhooks.delivery (sequence, endpoint_id, appended_at, due_at)
            SELECT w.sequence, w.endpoint_id, w.appended_at, moment FROM webhooks.wanted(sequences, since) AS w
            RETURNING endpoint_id
        )
        SELECT array_agg(DISTINCT endpoint_id), count(*) INTO lanes, made FROM delivery;
    EXCEPTION WHEN unique_violation THEN
        -- Somebody asked for one of them to be sent again before it was made. That is rare, and to expect it of each row
        -- would cost a fifth more.
        WITH delivery AS (
            INSERT INTO webhooks.delivery (sequence, endpoint_id, appended_at, due_at)
            SELECT w.sequence, w.endpoint_id, w.appended_at, moment FROM webhooks.wanted(sequences, since) AS w
            ON CONFLICT DO NOTHING
            RETURNING endpoint_id
        )
        SELECT array_agg(DISTINCT endpoint_id), count(*) INTO lanes, made FROM delivery;
    END;
    IF made > 0 THEN
        PERFORM webhooks.wake(lanes);
    END IF;
    RETURN made;
END $$;

-- wanted: the notices named, for each endpoint that wants them in no order. Of dead endpoints there are few, so that to
-- look for them costs half of what it does to find each endpoint alive.
CREATE OR REPLACE FUNCTION webhooks.wanted(sequences bigint[], since timestamptz)
RETURNS TABLE (endpoint_id text, sequence bigint, appended_at timestamptz) LANGUAGE sql STABLE AS $$
    SELECT i.endpoint_id, n.sequence, n.appended_at
    FROM projections.notice n
    CROSS JOIN LATERAL (
        SELECT i.endpoint_id FROM webhooks.interest i
        WHERE n.type <> 'rollbook.endpoint.test' AND i.account = n.account AND i.livemode = n.livemode
          AND i.ordering = 'none' AND n.sequence > i.above AND (i.upto IS NULL OR n.sequence <= i.upto)
          AND (n.type = ANY (i.enabled_events) OR '*' = ANY (i.enabled_events))
        UNION ALL
        SELECT e.id FROM webhooks.endpoint e WHERE n.type = 'rollbook.endpoint.test' AND e.id = n.object_id
    ) AS i
    WHERE n.sequence = ANY (sequences) AND n.appended_at >= since
      AND NOT EXISTS (SELECT FROM webhooks.endpoint e WHERE e.id = i.endpoint_id AND e.status = 'deleted')
$$;

-- make_in_order: give the notices above `low` and up to `high` to the endpoints that want them in order, and wake their
-- lanes. A delivery is due when there is none of its key before it. `since` is no later than any of the notices was
-- appended; the next call must be about the notices above `high`. Gives the number of deliveries.
CREATE OR REPLACE FUNCTION webhooks.make_in_order(low bigint, high bigint, since timestamptz) RETURNS integer
LANGUAGE plpgsql AS $$
DECLARE
    lanes text[];
    made integer;
BEGIN
    SELECT array_agg(DISTINCT w.endpoint_id) INTO lanes FROM webhooks.wanted_in_order(low, high, since) AS w;
    IF lanes IS NULL THEN
        RETURN 0;
    END IF;
    PERFORM FROM webhooks.lane WHERE endpoint_id = ANY (lanes) ORDER BY endpoint_id FOR NO KEY UPDATE;
    INSERT INTO webhooks.delivery (sequence, endpoint_id, appended_at, due_at, key)
    SELECT w.sequence, w.endpoint_id, w.appended_at,
        CASE WHEN w.place = 1 AND NOT EXISTS (
            SELECT FROM webhooks.delivery d WHERE d.endpoint_id = w.endpoint_id AND NOT d.recovered AND d.key = w.key
        ) THEN clock_timestamp() ELSE 'infinity' END, w.key
    FROM (
        SELECT *, row_number() OVER (PARTITION BY endpoint_id, key ORDER BY sequence) AS place
        FROM webhooks.wanted_in_order(low, high, since)
    ) AS w
    ON CONFLICT DO NOTHING;
    GET DIAGNOSTICS made = ROW_COUNT;
    PERFORM webhooks.wake(lanes);
    RETURN made;
END $$;

-- wanted_in_order: the notices above `low` and up to `high`, for each endpoint that wants them in order, with the key
-- that says what they are kept in order by: see webhooks/endpoints/rules.py.
CREATE OR REPLACE FUNCTION webhooks.wanted_in_order(low bigint, high bigint, since timestamptz)
RETURNS TABLE (endpoint_id text, sequence bigint, appended_at timestamptz, key text) LANGUAGE sql STABLE AS $$
    SELECT i.endpoint_id, n.sequence, n.appended_at, CASE i.ordering WHEN 'customer' THEN n.stream ELSE '' END
    FROM projections.notice n
    JOIN webhooks.interest i ON i.account = n.account AND i.livemode = n.livemode AND i.ordering <> 'none'
        AND n.sequence > i.above AND (i.upto IS NULL OR n.sequence <= i.upto)
        AND i.enabled_events && ARRAY['*', n.type]
    JOIN webhooks.endpoint e ON e.id = i.endpoint_id AND e.status <> 'deleted'
    WHERE n.sequence > low AND n.sequence <= high AND n.appended_at >= since AND n.type <> 'rollbook.endpoint.test'
$$;

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

-- fair_part: of the notices named, those that are fanned out together: accounts take turns, notice by notice, until there
-- would be about 10,000 deliveries; one notice in any case. What is left comes in a later part. So one account's notices,
-- or one notice to many endpoints, do not delay those of another for longer than one part takes.
CREATE OR REPLACE FUNCTION webhooks.fair_part(sequences bigint[], since timestamptz) RETURNS bigint[]
LANGUAGE sql STABLE AS $$
    SELECT coalesce(array_agg(sequence), '{}') FROM (
        SELECT sequence, sum(endpoints) OVER (ORDER BY turn, endpoints, sequence) - endpoints AS before
        FROM (
            SELECT sequence, turn, max(counted) OVER (PARTITION BY account, livemode) AS endpoints
            FROM (
                SELECT n.sequence, n.account, n.livemode, row_number() OVER by_account AS turn,
                    CASE WHEN row_number() OVER by_account = 1 THEN (
                        SELECT count(*) FROM (
                            SELECT FROM webhooks.interest i
                            WHERE i.account = n.account AND i.livemode = n.livemode LIMIT 10000
                        ) AS i
                    ) END AS counted
                FROM projections.notice n WHERE n.sequence = ANY (sequences) AND n.appended_at >= since
                WINDOW by_account AS (PARTITION BY n.account, n.livemode ORDER BY n.sequence)
            ) AS once_an_account
        ) AS weighed
    ) AS added_up WHERE before < 10000
$$;

-- fan_out: fan out those of the notices named that are not yet; for whoever hears of notices in any order. What does
-- not exist is passed over, and what is too much for one transaction is left to catch_up. Gives the number of deliveries
-- made.
CREATE OR REPLACE FUNCTION webhooks.fan_out(sequences bigint[]) RETURNS integer
LANGUAGE plpgsql AS $$
DECLARE
    low webhooks.floor;
    fresh bigint[];
BEGIN
    SELECT * INTO low FROM webhooks.floor FOR SHARE;
    IF cardinality(sequences) > 1 THEN
        sequences := webhooks.fair_part(ARRAY(
            SELECT DISTINCT s FROM unnest(sequences) AS s
            WHERE s > low.sequence AND NOT EXISTS (SELECT FROM webhooks.fanned_out m WHERE m.sequence = s)
        ), low.appended_at);
    END IF;
    WITH marked AS (
        INSERT INTO webhooks.fanned_out (sequence)
        SELECT DISTINCT s FROM unnest(sequences) AS s
        WHERE s > low.sequence AND s <= (SELECT sequence FROM projections.notice_head)
        ORDER BY s
        ON CONFLICT DO NOTHING
        RETURNING sequence
    )
    SELECT array_agg(sequence) INTO fresh FROM marked;
    RETURN CASE WHEN fresh IS NULL THEN 0 ELSE webhooks.make_deliveries(fresh, low.appended_at) END;
END $$;

-- reach: how far along the log to go, to `high` at most, so that of the notices named no more are fanned out than make about
-- 10,000 deliveries; over one of them in any case.
CREATE OR REPLACE FUNCTION webhooks.reach(missing bigint[], high bigint, since timestamptz) RETURNS bigint
LANGUAGE sql STABLE AS $$
    SELECT coalesce(min(sequence) - 1, high) FROM (
        SELECT sequence, sum(endpoints) OVER (ORDER BY sequence) - endpoints AS before
        FROM (
            SELECT sequence, max(counted) OVER (PARTITION BY account, livemode) AS endpoints
            FROM (
                SELECT n.sequence, n.account, n.livemode,
                    CASE WHEN row_number() OVER (PARTITION BY n.account, n.livemode) = 1 THEN (
                        SELECT count(*) FROM (
                            SELECT FROM webhooks.interest i
                            WHERE i.account = n.account AND i.livemode = n.livemode LIMIT 10000
                        ) AS i
                    ) END AS counted
                FROM projections.notice n WHERE n.sequence = ANY (missing) AND n.appended_at >= since
            ) AS once_an_account
        ) AS weighed
    ) AS added_up WHERE before >= 10000
$$;

-- catch_up: move the floor over the next notices, at most `batch` of them: those that are marked, and those that nobody
-- has fanned out for `delay`, which are now. Gives how many the floor moved over, how many of them were not fanned out
-- before, how many deliveries were made for those, and whether any endpoint is told in order: see catch_up_in_order.
CREATE OR REPLACE FUNCTION webhooks.catch_up(
    delay interval, batch integer, OUT passed bigint, OUT missed bigint, OUT made integer, OUT in_order boolean
) LANGUAGE plpgsql AS $$
DECLARE
    low webhooks.floor;
    moment timestamptz;
    high bigint;
    missing bigint[];
BEGIN
    SELECT * INTO low FROM webhooks.floor FOR UPDATE;
    moment := clock_timestamp();
    SELECT count(*) FILTER (WHERE sequence < young_from),
           max(sequence) FILTER (WHERE sequence < young_from),
           array_agg(sequence) FILTER (WHERE NOT marked AND sequence < young_from)
    INTO passed, high, missing
    FROM (
        SELECT sequence, marked,
               coalesce(min(sequence) FILTER (WHERE NOT marked AND young) OVER (), 9223372036854775807) AS young_from
        FROM (
            SELECT n.sequence, m.sequence IS NOT NULL AS marked,
                   delay > interval '0' AND n.appended_at > moment - delay AS young
            FROM projections.notice n LEFT JOIN webhooks.fanned_out m ON m.sequence = n.sequence
            WHERE n.sequence > low.sequence AND n.appended_at >= low.appended_at
            ORDER BY n.sequence LIMIT batch
        ) AS next
    ) AS judged;

    IF cardinality(missing) > 1 THEN
        -- As far as is not too much for one transaction: who marks notices waits for it.
        high := webhooks.reach(missing, high, low.appended_at);
        missing := ARRAY(SELECT m FROM unnest(missing) AS m WHERE m <= high);
        passed := high - low.sequence;
    END IF;
    in_order := EXISTS (SELECT FROM webhooks.interest i WHERE i.ordering <> 'none');
    missed := coalesce(cardinality(missing), 0);
    made := CASE WHEN missed = 0 THEN 0 ELSE webhooks.make_deliveries(missing, low.appended_at) END;
    IF passed > 0 THEN
        IF passed > missed THEN
            DELETE FROM webhooks.fanned_out WHERE sequence <= high;
        END IF;
        SELECT n.appended_at INTO moment
        FROM projections.notice n WHERE n.sequence = high AND n.appended_at >= low.appended_at;
        UPDATE webhooks.floor f SET sequence = high, appended_at = moment,
            in_order = CASE WHEN catch_up.in_order THEN f.in_order ELSE high END,
            in_order_at = CASE WHEN catch_up.in_order THEN f.in_order_at ELSE moment END;
    END IF;
END $$;

-- catch_up_in_order: make the deliveries of endpoints that are told in order, of at most `batch` of the notices that the
-- floor has passed. Gives how many notices that were, and how many deliveries were made.
CREATE OR REPLACE FUNCTION webhooks.catch_up_in_order(batch integer, OUT passed bigint, OUT made integer)
LANGUAGE plpgsql AS $$
DECLARE
    low webhooks.floor;
BEGIN
    SELECT * INTO low FROM webhooks.floor FOR UPDATE;
    passed := least(low.sequence - low.in_order, batch);
    made := 0;
    IF passed > 0 THEN
        made := webhooks.make_in_order(low.in_order, low.in_order + passed, low.in_order_at);
        UPDATE webhooks.floor SET in_order = low.in_order + passed, in_order_at = (
            SELECT n.appended_at FROM projections.notice n
            WHERE n.sequence = low.in_order + passed AND n.appended_at >= low.in_order_at
        );
    END IF;
END $$;

-- sweep: remove what nothing needs any more: deliveries of deleted endpoints and of notices that are no longer kept, at
-- most `batch` at a time; then those endpoints themselves, and interests that lie below the floor. Rows that others
-- hold are left for the next time. Gives the number of deliveries removed.
CREATE OR REPLACE FUNCTION webhooks.sweep(batch integer) RETURNS integer
LANGUAGE plpgsql AS $$
DECLARE
    low webhooks.floor;
    oldest bigint;
    swept integer;
    endpoints text[];
    keys text[];
BEGIN
    SELECT * INTO low FROM webhooks.floor;
    DELETE FROM webhooks.interest WHERE upto <= least(low.sequence, low.in_order);
    DELETE FROM webhooks.recovery r USING webhooks.endpoint e WHERE e.id = r.endpoint_id AND e.status = 'deleted';
    SELECT min(sequence) INTO oldest FROM projections.notice
    WHERE appended_at >= date_trunc('day', now() AT TIME ZONE 'UTC') AT TIME ZONE 'UTC' - interval '30 days';
    -- What is told in order goes with its lane locked, for what follows it becomes due.
    PERFORM FROM webhooks.lane WHERE endpoint_id IN (
        SELECT d.endpoint_id FROM webhooks.delivery d WHERE d.sequence < oldest AND d.key IS NOT NULL
    ) ORDER BY endpoint_id FOR NO KEY UPDATE;
    WITH old AS (
        DELETE FROM webhooks.delivery WHERE (sequence, endpoint_id) IN (
            SELECT d.sequence, d.endpoint_id FROM webhooks.endpoint e JOIN webhooks.delivery d ON d.endpoint_id = e.id
            WHERE e.status = 'deleted' LIMIT batch FOR UPDATE OF d SKIP LOCKED
        ) OR (sequence, endpoint_id) IN (
            SELECT d.sequence, d.endpoint_id FROM webhooks.delivery d
            WHERE d.sequence < oldest LIMIT batch FOR UPDATE SKIP LOCKED
        )
        RETURNING endpoint_id, key
    )
    SELECT count(*), array_agg(endpoint_id) FILTER (WHERE key IS NOT NULL), array_agg(key) FILTER (WHERE key IS NOT NULL)
    INTO swept, endpoints, keys FROM old;
    IF keys IS NOT NULL THEN
        PERFORM webhooks.release(endpoints, array_fill(false, ARRAY[cardinality(keys)]), keys);
        PERFORM webhooks.release(endpoints, array_fill(true, ARRAY[cardinality(keys)]), keys);
        PERFORM webhooks.wake(endpoints);
    END IF;
    WITH gone AS (
        DELETE FROM webhooks.endpoint e
        WHERE status = 'deleted'
          AND NOT EXISTS (SELECT FROM webhooks.interest i WHERE i.endpoint_id = e.id)
          AND NOT EXISTS (SELECT FROM webhooks.delivery d WHERE d.endpoint_id = e.id)
        RETURNING id
    )
    DELETE FROM webhooks.lane USING gone WHERE endpoint_id = gone.id;
    RETURN swept;
END $$;
