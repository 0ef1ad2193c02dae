-- release: make the first delivery of each of these keys due, unless it is held. The caller has locked the lanes.
CREATE OR REPLACE FUNCTION webhooks.release(endpoints text[], recovered boolean[], keys text[]) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    UPDATE webhooks.delivery d SET due_at = clock_timestamp()
    FROM (
        SELECT DISTINCT r.endpoint_id, r.recovered, r.key
        FROM unnest(endpoints, recovered, keys) AS r(endpoint_id, recovered, key)
    ) AS r CROSS JOIN LATERAL (
        SELECT n.sequence FROM webhooks.delivery n
        WHERE n.endpoint_id = r.endpoint_id AND n.recovered = r.recovered AND n.key = r.key
        ORDER BY n.sequence LIMIT 1
    ) AS first
    WHERE d.sequence = first.sequence AND d.endpoint_id = r.endpoint_id AND d.due_at = 'infinity' AND NOT d.held;
END $$;
