-- list_customers_by_email: a page of the customers with one email, newest first.
-- $1 account, $2 livemode, $3 cursor: the id of the object just before the page in list order, or null, $4 and $5 bounds of created, inclusive,
-- $6 how many at most, $7 email
-- A cursor names an object of any age, deleted ones too; one that is not there gives no row.
SELECT id, body
FROM projections.customer
WHERE account = $1 AND livemode = $2 AND email = $7 AND NOT deleted AND test_clock IS NULL AND created >= $4 AND created <= $5
  AND (created, position) < (
    SELECT c.created, c.position FROM projections.customer c WHERE c.account = $1 AND c.livemode = $2 AND c.id = $3
    UNION ALL SELECT 9223372036854775807, 9223372036854775807 WHERE $3::text IS NULL)
ORDER BY created DESC, position DESC
LIMIT $6;
