-- reorder: make the first delivery of each key of an endpoint due, unless it is held, and no other. The caller has
-- locked the lane.
CREATE OR REPLACE FUNCTION webhooks.reorder(endpoint text) RETURNS void
LANGUAGE sql AS $$
    UPDATE webhooks.delivery d SET due_at = CASE WHEN r.first THEN clock_timestamp() ELSE 'infinity' END
    FROM (
        SELECT sequence, row_number() OVER (PARTITION BY recovered, key ORDER BY sequence) = 1 AS first
        FROM webhooks.delivery WHERE endpoint_id = endpoint AND key IS NOT NULL
    ) AS r
    WHERE d.sequence = r.sequence AND d.endpoint_id = endpoint
      AND CASE WHEN r.first THEN d.due_at = 'infinity' AND NOT d.held ELSE d.due_at < 'infinity' END
$$;
