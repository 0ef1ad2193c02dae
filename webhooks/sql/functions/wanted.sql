-- wanted: pairs of these notices and each endpoint that subscribes to them, without ordered delivery. There are few
-- deleted or disabled endpoints, so excluding these is twice as fast as looking up that each endpoint is enabled.
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
