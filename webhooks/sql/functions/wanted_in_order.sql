-- wanted_in_order: pairs of the notices above `low` up to `high` and each endpoint that subscribes to them with ordered
-- delivery, with the ordering key: see webhooks/endpoints/rules.py.
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
