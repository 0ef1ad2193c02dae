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
