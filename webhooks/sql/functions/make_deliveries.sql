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
