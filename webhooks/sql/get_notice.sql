-- get_notice: one notice, with the number of endpoints that still have to receive it.
-- $1 account, $2 livemode, $3 id, $4 the oldest creation time that is still shown
SELECT n.sequence, n.body, webhooks.pending(n.sequence, n.account, n.livemode, n.type) AS pending
FROM projections.notice n
WHERE n.id = $3 AND n.account = $1 AND n.livemode = $2 AND n.created >= $4;
