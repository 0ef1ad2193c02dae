-- The filters of lists have indexes: the type of payment methods; the coupon, the customer and the state of promotion
-- codes. Each index reads the table once, and writes wait until all are made.
-- compatible from: projections/migrations/0005_search_spellings.sql
CREATE INDEX payment_method_type ON projections.resource
    (account, livemode, (facts ->> 'type'), (facts ->> 'allow_redisplay'), created DESC, position DESC)
    WHERE kind = 'payment_method' AND NOT deleted;
CREATE INDEX promotion_code_active ON projections.resource
    (account, livemode, (facts ->> 'active'), created DESC, position DESC)
    WHERE kind = 'promotion_code' AND NOT deleted;
CREATE INDEX promotion_code_coupon ON projections.resource
    (account, livemode, (facts ->> 'coupon'), (facts -> 'active'), created DESC, position DESC)
    WHERE kind = 'promotion_code' AND NOT deleted;
CREATE INDEX promotion_code_customer ON projections.resource
    (account, livemode, (facts ->> 'customer'), created DESC, position DESC)
    WHERE kind = 'promotion_code' AND NOT deleted AND (facts ->> 'customer') IS NOT NULL;
