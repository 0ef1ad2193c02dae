-- get_delivery: one delivery, of an endpoint that is not deleted.
-- $1 account, $2 livemode, $3 sequence, $4 endpoint
SELECT n.sequence, e.id AS endpoint_id, e.stopped_at, n.id AS notice_id, n.type, n.created, n.stream,
    CASE WHEN d.sequence IS NULL THEN a.outcome WHEN d.held THEN 'held' END AS outcome,
    coalesce(d.attempts, a.attempt) AS attempts, nullif(d.due_at, 'infinity') AS due_at
FROM webhooks.endpoint e
CROSS JOIN LATERAL (
    SELECT n.* FROM projections.notice n WHERE n.sequence = $3 AND n.account = $1 AND n.livemode = $2 LIMIT 1
) AS n
LEFT JOIN webhooks.delivery d ON d.sequence = n.sequence AND d.endpoint_id = e.id
LEFT JOIN LATERAL (
    SELECT a.outcome, a.attempt FROM webhooks.attempt a
    WHERE a.endpoint_id = e.id AND a.sequence = n.sequence AND a.outcome <> 'retry'
    ORDER BY a.at DESC LIMIT 1
) AS a ON true
WHERE e.id = $4 AND e.account = $1 AND e.livemode = $2 AND e.status <> 'deleted'
  AND (d.sequence IS NOT NULL OR a.outcome IS NOT NULL);
