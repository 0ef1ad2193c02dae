-- list_payment_methods_of_customer_before: a page of the payment methods of one customer and some types, oldest first, so that a page before the cursor ends at it.
-- $1 account, $2 livemode, $3 cursor: the id of the object just after the page in list order, or null, $4 and $5 bounds of created,
-- inclusive, $6 how many at most, one more than are shown, $7 bytes of bodies at most,
-- $8 types, $9 values of allow_redisplay, $10 customer
-- Each type with each value of allow_redisplay is looked up by the index, however many others there are.
-- The customer is asked for twice: the planner takes that for a few rows at most, and so goes by the index.
-- The cursor may be a deleted object; an unknown one returns no row.
-- A row beyond the page has a null body: the additional one, and those that exceed the bytes, except the first.
SELECT CASE WHEN row_number() OVER page = 1 OR row_number() OVER page < $6 AND sum(octet_length(body)) OVER page <= $7
    THEN body END AS body
FROM (
    SELECT one.* FROM unnest($8::text[]) AS typed(type) CROSS JOIN unnest($9::text[]) AS wanted(redisplay) CROSS JOIN LATERAL (
        SELECT body, created, position
        FROM projections.resource
        WHERE account = $1 AND livemode = $2 AND kind = 'payment_method'
          AND parent = $10 AND parent BETWEEN $10 AND $10 AND parent <> ''
          AND facts ->> 'type' = typed.type
          AND facts ->> 'allow_redisplay' = wanted.redisplay
          AND NOT deleted
          AND created >= $4 AND created <= $5
          AND (created, position) > (
            SELECT c.created, c.position FROM projections.resource c WHERE c.account = $1 AND c.livemode = $2 AND c.id = $3 AND c.kind = 'payment_method'
            UNION ALL SELECT -9223372036854775808, -9223372036854775808 WHERE $3::text IS NULL)
        ORDER BY created, position
        LIMIT $6
    ) AS one
    ORDER BY created, position
    LIMIT $6
) AS found
WINDOW page AS (ORDER BY created, position ROWS UNBOUNDED PRECEDING)
ORDER BY created, position;
