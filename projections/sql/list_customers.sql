-- list_customers: a page of the customers without a test clock, newest first.
-- $1 account, $2 livemode, $3 cursor: the id of the object just before the page in list order, or null, $4 and $5 bounds of created, inclusive,
-- $6 how many at most, one more than are shown, $7 bytes of bodies at most
-- The cursor may be a deleted object; an unknown one returns no row.
-- A row beyond the page has a null body: the additional one, and those that exceed the bytes, except the first.
SELECT CASE WHEN row_number() OVER page = 1 OR row_number() OVER page < $6 AND sum(octet_length(body)) OVER page <= $7
    THEN body END AS body
FROM (
    SELECT body, created, position
    FROM projections.customer
    WHERE account = $1 AND livemode = $2 AND NOT deleted AND test_clock IS NULL AND created >= $4 AND created <= $5
      AND (created, position) < (
        SELECT c.created, c.position FROM projections.customer c WHERE c.account = $1 AND c.livemode = $2 AND c.id = $3
        UNION ALL SELECT 9223372036854775807, 9223372036854775807 WHERE $3::text IS NULL)
    ORDER BY created DESC, position DESC
    LIMIT $6
) AS found
WINDOW page AS (ORDER BY created DESC, position DESC ROWS UNBOUNDED PRECEDING)
ORDER BY created DESC, position DESC;
