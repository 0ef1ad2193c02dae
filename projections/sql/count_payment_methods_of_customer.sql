-- count_payment_methods_of_customer: the number of payment methods of one customer and some types that are not deleted.
-- $1 account, $2 livemode, $3 and $4 bounds of created, inclusive, $5 types, $6 values of allow_redisplay, $7 customer
-- Each type with each value of allow_redisplay is counted by the index, however many others there are.
SELECT coalesce(sum(one.count), 0)::bigint AS count
FROM unnest($5::text[]) AS typed(type) CROSS JOIN unnest($6::text[]) AS wanted(redisplay) CROSS JOIN LATERAL (
    SELECT count(*) AS count
    FROM projections.resource
    WHERE account = $1 AND livemode = $2 AND kind = 'payment_method'
      AND parent = $7 AND parent <> '' AND facts ->> 'type' = typed.type
      AND facts ->> 'allow_redisplay' = wanted.redisplay AND NOT deleted
      AND created >= $3 AND created <= $4
) AS one;
