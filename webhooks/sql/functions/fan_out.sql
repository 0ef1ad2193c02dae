-- Fanning out: every notice becomes, once, a delivery for each endpoint that wants it.
--
-- The floor row decides between those who do it. Whoever marks notices holds it shared, whoever moves the floor holds
-- it alone, and both take it before they read anything else. So nobody marks what lies below the floor, where marks
-- are gone, and the floor never passes a notice whose deliveries might still be rolled back.

-- make_deliveries: give the notices named to the endpoints that want them, and wake their lanes; one that tests an
-- endpoint goes to that alone, whatever it wants. For the functions
-- below, which see to it that each notice comes here once. `since` is no later than any of the notices was appended.
-- Gives the number of deliveries.
CREATE OR REPLACE FUNCTION webhooks.make_deliveries(sequences bigint[], since timestamptz) RETURNS integer
LANGUAGE plpgsql AS $$
DECLARE
    moment timestamptz := clock_timestamp();
    lanes text[];
    made integer;
BEGIN
    WITH delivery AS (
        INSERT INTO webhooks.delivery (sequence, endpoint_id, appended_at, due_at)
        SELECT n.sequence, i.endpoint_id, n.appended_at, moment
        FROM projections.notice n
        CROSS JOIN LATERAL (
            SELECT i.endpoint_id FROM webhooks.interest i
            WHERE n.type <> 'rollbook.endpoint.test' AND i.account = n.account AND i.livemode = n.livemode
              AND n.sequence > i.above AND (i.upto IS NULL OR n.sequence <= i.upto)
              AND (n.type = ANY (i.enabled_events) OR '*' = ANY (i.enabled_events))
            UNION ALL
            SELECT n.object_id WHERE n.type = 'rollbook.endpoint.test'
        ) AS i
        JOIN webhooks.endpoint e ON e.id = i.endpoint_id AND e.status <> 'deleted'
        WHERE n.sequence = ANY (sequences) AND n.appended_at >= since
        ON CONFLICT DO NOTHING
        RETURNING endpoint_id
    )
    SELECT array_agg(DISTINCT endpoint_id), count(*) INTO lanes, made FROM delivery;

    IF made > 0 THEN
        -- Locked before it is looked at: a worker that lets a lane go right now, not having seen these deliveries, is
        -- waited for or waits for us.
        PERFORM FROM webhooks.lane WHERE endpoint_id = ANY (lanes) ORDER BY endpoint_id FOR NO KEY UPDATE;
        UPDATE webhooks.lane SET ready_at = greatest(moment, open_until, quiet_until)
        WHERE endpoint_id = ANY (lanes) AND ready_at > greatest(moment, open_until, quiet_until) AND NOT gone;
        PERFORM pg_notify('rollbook_lanes', '');
    END IF;
    RETURN made;
END $$;

-- fan_out: fan out those of the notices named that are not yet; for whoever hears of notices in any order. What does
-- not exist is passed over. Gives the number of deliveries made.
CREATE OR REPLACE FUNCTION webhooks.fan_out(sequences bigint[]) RETURNS integer
LANGUAGE plpgsql AS $$
DECLARE
    low webhooks.floor;
    fresh bigint[];
BEGIN
    SELECT * INTO low FROM webhooks.floor FOR SHARE;
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

-- catch_up: move the floor over the next notices, at most `batch` of them: those that are marked, and those that nobody
-- has fanned out for `delay`, which are now. Gives how many the floor moved over, how many of them were not fanned out
-- before, and how many deliveries were made for those.
CREATE OR REPLACE FUNCTION webhooks.catch_up(
    delay interval, batch integer, OUT passed bigint, OUT missed bigint, OUT made integer
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

    missed := coalesce(cardinality(missing), 0);
    made := CASE WHEN missed = 0 THEN 0 ELSE webhooks.make_deliveries(missing, low.appended_at) END;
    IF passed > 0 THEN
        IF passed > missed THEN
            DELETE FROM webhooks.fanned_out WHERE sequence <= high;
        END IF;
        UPDATE webhooks.floor SET sequence = high, appended_at = (
            SELECT n.appended_at FROM projections.notice n WHERE n.sequence = high AND n.appended_at >= low.appended_at
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
    swept integer;
BEGIN
    SELECT * INTO low FROM webhooks.floor;
    DELETE FROM webhooks.interest WHERE upto <= low.sequence;
    DELETE FROM webhooks.recovery r USING webhooks.endpoint e WHERE e.id = r.endpoint_id AND e.status = 'deleted';
    DELETE FROM webhooks.delivery WHERE (sequence, endpoint_id) IN (
        SELECT d.sequence, d.endpoint_id FROM webhooks.endpoint e JOIN webhooks.delivery d ON d.endpoint_id = e.id
        WHERE e.status = 'deleted' LIMIT batch FOR UPDATE OF d SKIP LOCKED
    ) OR (sequence, endpoint_id) IN (
        SELECT d.sequence, d.endpoint_id FROM webhooks.delivery d
        WHERE d.sequence < (
            SELECT min(sequence) FROM projections.notice
            WHERE appended_at >= date_trunc('day', now() AT TIME ZONE 'UTC') AT TIME ZONE 'UTC' - interval '30 days'
        ) LIMIT batch FOR UPDATE SKIP LOCKED
    );
    GET DIAGNOSTICS swept = ROW_COUNT;
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
