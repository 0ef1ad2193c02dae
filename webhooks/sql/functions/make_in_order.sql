-- make_in_order: make the deliveries of the notices above `low` up to `high` to endpoints with ordered delivery, and
-- wake their lanes. A delivery is due if there is no earlier one of its key. `since` is no later than the time any of
-- the notices was appended; the next call must begin at `high`. Returns the number of deliveries.
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
        CASE WHEN w.rank = 1 AND NOT EXISTS (
            SELECT FROM webhooks.delivery d WHERE d.endpoint_id = w.endpoint_id AND NOT d.recovered AND d.key = w.key
        ) THEN clock_timestamp() ELSE 'infinity' END, w.key
    FROM (
        SELECT *, row_number() OVER (PARTITION BY endpoint_id, key ORDER BY sequence) AS rank
        FROM webhooks.wanted_in_order(low, high, since)
    ) AS w
    ON CONFLICT DO NOTHING;
    GET DIAGNOSTICS made = ROW_COUNT;
    PERFORM webhooks.wake(lanes);
    RETURN made;
END $$;
