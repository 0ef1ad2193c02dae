-- count_customers: the number of customers that are not deleted, of one test clock or of none.
-- $1 account, $2 livemode, $3 and $4 bounds of created, inclusive, $5 email, or null for any, $6 test clock, or null
SELECT count(*) AS count
FROM projections.customer
WHERE account = $1 AND livemode = $2 AND NOT deleted AND created >= $3 AND created <= $4
  AND ($5::text IS NULL OR email = $5) AND test_clock IS NOT DISTINCT FROM $6;
