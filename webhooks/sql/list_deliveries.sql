-- list_deliveries: a page of deliveries of endpoints that are not deleted, newest notices first.
-- $1 account, $2 livemode, $3 endpoint, or null for all of them, $4 and $5 bounds of the sequence, inclusive, $6 and $7
-- cursor: sequence and endpoint of the delivery just before the page in list order, $8 how many at most, $9 whether those
-- that are pending, $10 those that were taken, $11 those that ended in these other ways, $12 of these notices alone, or
-- null, $13 whether those that are held
-- One that ended and was made again since is as it is now.
SELECT f.sequence, f.endpoint_id, f.outcome, f.attempts, f.due_at, n.id AS notice_id, n.type, n.created, n.stream
FROM (
    SELECT found.* FROM webhooks.endpoint e CROSS JOIN LATERAL (
        (SELECT d.sequence, d.endpoint_id, CASE WHEN d.held THEN 'held' END AS outcome, d.attempts,
            nullif(d.due_at, 'infinity') AS due_at
        FROM webhooks.delivery d
        WHERE CASE WHEN d.held THEN $13::boolean ELSE $9::boolean END AND d.endpoint_id = e.id AND d.sequence BETWEEN $4 AND $5 AND (d.sequence, d.endpoint_id) < ($6, $7)
          AND ($12::bigint[] IS NULL OR d.sequence = ANY ($12))
        ORDER BY d.sequence DESC LIMIT $8)
        UNION ALL
        (SELECT a.sequence, a.endpoint_id, a.outcome, a.attempt, NULL
        FROM webhooks.attempt a
        WHERE $10 AND a.outcome = 'delivered' AND a.endpoint_id = e.id AND a.sequence BETWEEN $4 AND $5
          AND (a.sequence, a.endpoint_id) < ($6, $7) AND ($12 IS NULL OR a.sequence = ANY ($12))
          AND NOT EXISTS (SELECT FROM webhooks.delivery d WHERE d.sequence = a.sequence AND d.endpoint_id = a.endpoint_id)
          AND NOT EXISTS (
              SELECT FROM webhooks.attempt l
              WHERE l.endpoint_id = a.endpoint_id AND l.sequence = a.sequence AND l.at > a.at AND l.outcome <> 'retry')
        ORDER BY a.sequence DESC LIMIT $8)
        UNION ALL
        (SELECT a.sequence, a.endpoint_id, a.outcome, a.attempt, NULL
        FROM webhooks.attempt a
        WHERE cardinality($11::text[]) > 0 AND a.outcome IN ('gave_up', 'canceled') AND a.outcome = ANY ($11)
          AND a.endpoint_id = e.id AND a.sequence BETWEEN $4 AND $5 AND (a.sequence, a.endpoint_id) < ($6, $7)
          AND ($12 IS NULL OR a.sequence = ANY ($12))
          AND NOT EXISTS (SELECT FROM webhooks.delivery d WHERE d.sequence = a.sequence AND d.endpoint_id = a.endpoint_id)
          AND NOT EXISTS (
              SELECT FROM webhooks.attempt l
              WHERE l.endpoint_id = a.endpoint_id AND l.sequence = a.sequence AND l.at > a.at AND l.outcome <> 'retry')
        ORDER BY a.sequence DESC LIMIT $8)
    ) AS found
    WHERE e.account = $1 AND e.livemode = $2 AND e.status <> 'deleted' AND ($3::text IS NULL OR e.id = $3)
    ORDER BY found.sequence DESC, found.endpoint_id DESC LIMIT $8
) AS f
CROSS JOIN LATERAL (
    SELECT n.id, n.type, n.created, n.stream FROM projections.notice n WHERE n.sequence = f.sequence LIMIT 1
) AS n
ORDER BY f.sequence DESC, f.endpoint_id DESC;
