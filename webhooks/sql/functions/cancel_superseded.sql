-- cancel_superseded: cancel the pending deliveries of an endpoint up to `upto`; if only the `latest` notice of each
-- object is wanted, that one is kept, or made if it was missed above `above`. Returns the number canceled or made. The
-- caller has locked the lane.
CREATE OR REPLACE FUNCTION webhooks.cancel_superseded(
    endpoint text, account text, livemode boolean, enabled_events text[], above bigint, upto bigint, latest boolean,
    ordering text
) RETURNS integer LANGUAGE plpgsql SET enable_hashjoin = on AS $$
DECLARE
    kept bigint[] := '{}';
    canceled integer;
    made integer := 0;
BEGIN
    IF latest THEN
        SELECT coalesce(array_agg(newest.sequence), '{}') INTO kept FROM (
            SELECT DISTINCT ON (candidate.object_id) candidate.sequence FROM (
                SELECT n.object_id, n.sequence FROM webhooks.delivery d
                JOIN projections.notice n ON n.sequence = d.sequence AND n.appended_at = d.appended_at
                WHERE d.endpoint_id = $1 AND d.sequence <= $6
                UNION ALL
                SELECT n.object_id, n.sequence FROM projections.notice n
                WHERE n.account = $2 AND n.livemode = $3 AND n.sequence > $5 AND n.sequence <= $6
                  AND $4 && ARRAY['*', n.type] AND n.type <> 'rollbook.endpoint.test'
            ) AS candidate
            ORDER BY candidate.object_id, candidate.sequence DESC
        ) AS newest;
    END IF;
    canceled := webhooks.cancel(endpoint, ARRAY(
        SELECT d.sequence FROM webhooks.delivery d
        LEFT JOIN unnest(kept) AS k(sequence) ON k.sequence = d.sequence
        WHERE d.endpoint_id = $1 AND d.sequence <= $6 AND k.sequence IS NULL
    ));
    IF latest THEN
        INSERT INTO webhooks.delivery (sequence, endpoint_id, appended_at, due_at, recovered, key)
        SELECT n.sequence, $1, n.appended_at, clock_timestamp(), ordering = 'none',
            CASE ordering WHEN 'customer' THEN n.stream WHEN 'strict' THEN '' END
        FROM unnest(kept) AS k(sequence) JOIN projections.notice n ON n.sequence = k.sequence
        WHERE k.sequence > $5
        ON CONFLICT DO NOTHING;
        GET DIAGNOSTICS made = ROW_COUNT;
        IF ordering <> 'none' THEN
            PERFORM webhooks.reorder(endpoint);
        END IF;
    END IF;
    RETURN canceled + made;
END $$;
