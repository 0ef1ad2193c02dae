-- cancel: cancel pending deliveries of an endpoint, so that later deliveries of their keys continue. An attempt in
-- flight is completed but not recorded. Returns the number canceled.
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
