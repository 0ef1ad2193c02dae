-- make_deliveries: make the deliveries of these notices to endpoints without ordered delivery, and wake their lanes; a
-- test notice goes to its endpoint only, whatever the endpoint subscribes to. Callers ensure that each notice is passed
-- once. `since` is no later than the time any of the notices was appended. Returns the number of deliveries.
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
        -- One of them was resent before it was made. That is rare, and ON CONFLICT for each row would cost a fifth
        -- more.
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
