-- count_to_send: the number of events that a recovery or a resumption sends to an endpoint, with the conditions of
-- recover.sql.
-- $1 account, $2 livemode, $3 endpoint, $4 position above which it missed events, null for that at which it was stopped,
-- $5 time since which, null for any, $6 whether one for each object, $7 whether its pending deliveries too,
-- $8 how many are counted at most
SELECT CASE WHEN $6 THEN count(DISTINCT w.object_id) ELSE count(*) END
FROM (
    (
        SELECT n.object_id FROM webhooks.delivery d
        JOIN projections.notice n ON n.sequence = d.sequence AND n.appended_at = d.appended_at
        WHERE d.endpoint_id = $3 AND $7 LIMIT $8
    )
    UNION ALL
    (
        SELECT n.object_id FROM webhooks.endpoint e
        JOIN projections.notice n ON n.account = e.account AND n.livemode = e.livemode
        WHERE e.id = $3 AND e.account = $1 AND e.livemode = $2
          AND n.sequence > coalesce($4::bigint, e.stopped_at) AND n.appended_at >= coalesce($5::timestamptz, '-infinity')
          AND e.enabled_events && ARRAY['*', n.type] AND n.type <> 'rollbook.endpoint.test'
          AND NOT EXISTS (
            SELECT FROM webhooks.attempt a
            WHERE a.endpoint_id = e.id AND a.sequence = n.sequence AND a.at >= n.appended_at
              AND a.outcome IN ('delivered', 'canceled'))
          AND NOT EXISTS (SELECT FROM webhooks.delivery d WHERE d.sequence = n.sequence AND d.endpoint_id = e.id)
        LIMIT $8
    )
) AS w;
