-- get_customers: the stored bodies of many customers, deleted ones included.
-- $1 accounts, $2 livemodes, $3 ids: one of each for every customer asked for; a customer not found gives a null body
SELECT c.body
FROM unnest($1::text[], $2::boolean[], $3::text[]) WITH ORDINALITY AS asked(account, livemode, id, n)
LEFT JOIN projections.customer c USING (account, livemode, id)
ORDER BY n;
