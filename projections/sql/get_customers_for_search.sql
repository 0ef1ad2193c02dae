-- get_customers_for_search: the current state of customers for the search index: whether they are in it, and their
-- texts.
-- $1 accounts, $2 livemodes, $3 ids: one of each for every customer asked for; those not there are left out
SELECT c.account, c.livemode, c.id, c.created, c.position, c.body, NOT c.deleted AND c.test_clock IS NULL AS findable
FROM unnest($1::text[], $2::boolean[], $3::text[]) AS asked(account, livemode, id)
JOIN projections.customer c USING (account, livemode, id);
