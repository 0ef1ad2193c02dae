-- remove_search: delete customers from the search index.
-- $1 accounts, $2 livemodes, $3 ids: one of each for every customer
DELETE FROM projections.search s
USING unnest($1::text[], $2::boolean[], $3::text[]) AS gone(account, livemode, id)
WHERE s.account = gone.account AND s.livemode = gone.livemode AND s.id = gone.id;
