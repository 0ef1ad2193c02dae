-- get_coupons: coupons as they are shown now, deleted ones as they last were.
-- $1 ids of endpoints, $2 ids of coupons: one of each for every coupon of an endpoint's account and mode
SELECT asked.endpoint_id, r.id, r.body
FROM unnest($1::text[], $2::text[]) AS asked(endpoint_id, id)
JOIN webhooks.endpoint e ON e.id = asked.endpoint_id
JOIN projections.resource r
    ON r.account = e.account AND r.livemode = e.livemode AND r.kind = 'coupon' AND r.id = asked.id;
