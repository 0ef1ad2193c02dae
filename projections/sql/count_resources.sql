-- count_resources: how many living objects of one kind and parent there are.
-- $1 account, $2 livemode, $3 and $4 bounds of created, inclusive, $5 kind, $6 parent
SELECT count(*) AS count
FROM projections.resource
WHERE account = $1 AND livemode = $2 AND kind = $5 AND parent = $6 AND NOT deleted AND created >= $3 AND created <= $4;
