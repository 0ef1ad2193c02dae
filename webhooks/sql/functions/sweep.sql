-- sweep: delete rows that are no longer needed: deliveries of deleted endpoints and of expired notices, at most `batch`
-- in one call; then those endpoints, and subscriptions to types (interests) that end below the watermark. Rows locked
-- by others are skipped until the next call. Returns the number of deliveries deleted.
CREATE OR REPLACE FUNCTION webhooks.sweep(batch integer) RETURNS integer
LANGUAGE plpgsql AS $$
DECLARE
    low webhooks.watermark;
    oldest bigint;
    swept integer;
    endpoints text[];
    keys text[];
BEGIN
    SELECT * INTO low FROM webhooks.watermark;
    DELETE FROM webhooks.interest WHERE upto <= least(low.sequence, low.in_order);
    DELETE FROM webhooks.recovery r USING webhooks.endpoint e WHERE e.id = r.endpoint_id AND e.status = 'deleted';
    SELECT min(sequence) INTO oldest FROM projections.notice
    WHERE appended_at >= date_trunc('day', now() AT TIME ZONE 'UTC') AT TIME ZONE 'UTC' - interval '30 days';
    -- Ordered deliveries are deleted with their lane locked, because the next of the key becomes due.
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
