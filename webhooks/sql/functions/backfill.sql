-- backfill: one step of one recovery. The caller has locked the recovery and its lane. A completed recovery is deleted;
-- if it had to precede new notices (ordered delivery), the endpoint is subscribed to new notices again from there.
CREATE OR REPLACE FUNCTION webhooks.backfill(
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
    WHERE r.endpoint_id = endpoint AND r.version = backfill.version;
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
        -- While no notice can be appended: from the next one on the endpoint is subscribed again.
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
            CASE WHEN w.key IS NULL OR w.rank = 1 AND NOT EXISTS (
                SELECT FROM webhooks.delivery d
                WHERE d.endpoint_id = endpoint AND d.recovered = NOT work.in_order AND d.key = w.key
            ) THEN clock_timestamp() ELSE 'infinity' END, NOT work.in_order, w.key
        FROM (
            SELECT n.*, row_number() OVER (PARTITION BY n.key ORDER BY n.sequence) AS rank
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
        WHERE r.endpoint_id = endpoint AND r.version = backfill.version;
        RETURN;
    END IF;
    DELETE FROM webhooks.recovery r WHERE r.endpoint_id = endpoint AND r.version = backfill.version;
    IF work.in_order THEN
        INSERT INTO webhooks.interest (endpoint_id, account, livemode, above, enabled_events, ordering)
        VALUES (endpoint, work.account, work.livemode, head, work.enabled_events, work.ordering);
    END IF;
END $$;
