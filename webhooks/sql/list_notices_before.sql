-- list_notices_before: a page of notices, oldest first, so that a page before the cursor ends at it, each with the number of endpoints that still have to receive it.
-- $1 account, $2 livemode, $3 cursor: the sequence just after the page in list order, or null, $4 and $5 bounds of created, inclusive,
-- $6 how many at most, one more than are shown, $7 types, or null for all, $8 true for those that every endpoint took, false for the others,
-- null for all, $9 bytes of bodies at most
-- A row beyond the page has a null body: the additional one, and those that exceed the bytes, except the first.
SELECT pending, CASE WHEN row_number() OVER page = 1 OR row_number() OVER page < $6 AND sum(octet_length(body)) OVER page <= $9
    THEN body END AS body
FROM (
    SELECT * FROM (
        SELECT n.sequence, n.body, webhooks.pending(n.sequence, n.account, n.livemode, n.type) AS pending
        FROM projections.notice n
        WHERE n.account = $1 AND n.livemode = $2 AND n.sequence > coalesce($3, -1)
          AND n.created >= $4 AND n.created <= $5 AND n.appended_at >= to_timestamp($4) - interval '1 day'
          AND ($7::text[] IS NULL OR n.type = ANY ($7))
    ) AS page
    WHERE $8::boolean IS NULL OR $8 = (pending = 0 AND NOT EXISTS (
        SELECT FROM webhooks.attempt a
        WHERE a.sequence = page.sequence AND a.outcome IN ('gave_up', 'canceled') AND NOT EXISTS (
            SELECT FROM webhooks.attempt l
            WHERE l.endpoint_id = a.endpoint_id AND l.sequence = a.sequence AND l.outcome = 'delivered')))
    ORDER BY sequence
    LIMIT $6
) AS found
WINDOW page AS (ORDER BY sequence ROWS UNBOUNDED PRECEDING)
ORDER BY sequence;
