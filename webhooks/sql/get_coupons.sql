-- get_coupons: the current bodies of coupons, deleted ones in their last state.
-- $1 ids of endpoints, $2 ids of coupons: one of each for every coupon of an endpoint's account and mode
-- Each LIMIT keeps the order of lookups: whose it is comes first, for many accounts may have a coupon of one id.
SELECT asked.endpoint_id, asked.id, r.body
FROM unnest($1::text[], $2::text[]) AS asked(endpoint_id, id)
CROSS JOIN LATERAL (SELECT account, livemode FROM webhooks.endpoint WHERE id = asked.endpoint_id LIMIT 1) AS e
CROSS JOIN LATERAL (
    SELECT body FROM projections.resource
    WHERE account = e.account AND livemode = e.livemode AND kind = 'coupon' AND id = asked.id LIMIT 1
) AS r;
