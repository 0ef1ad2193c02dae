-- count_notices: the number of notices.
-- $1 account, $2 livemode, $3 and $4 bounds of created, inclusive, $5 types, or null for all, $6 true for those that
-- every endpoint took, false for the others, null for all
SELECT count(*) AS count FROM (
    SELECT n.sequence, webhooks.pending(n.sequence, n.account, n.livemode, n.type) AS pending
    FROM projections.notice n
    WHERE n.account = $1 AND n.livemode = $2 AND n.created >= $3 AND n.created <= $4
      AND n.appended_at >= to_timestamp($3) - interval '1 day' AND ($5::text[] IS NULL OR n.type = ANY ($5))
) AS found
WHERE $6::boolean IS NULL OR $6 = (pending = 0 AND NOT EXISTS (
    SELECT FROM webhooks.attempt a
    WHERE a.sequence = found.sequence AND a.outcome IN ('gave_up', 'canceled') AND NOT EXISTS (
        SELECT FROM webhooks.attempt l
        WHERE l.endpoint_id = a.endpoint_id AND l.sequence = a.sequence AND l.outcome = 'delivered')));
