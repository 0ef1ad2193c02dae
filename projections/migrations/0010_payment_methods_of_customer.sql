-- The filters of the list of a customer's payment methods have an index, which reads the table once.
-- compatible from: projections/migrations/0005_search_spellings.sql
CREATE INDEX payment_method_of_customer ON projections.resource
    (account, livemode, parent, (facts ->> 'type'), (facts ->> 'allow_redisplay'), created DESC, position DESC)
    WHERE kind = 'payment_method' AND NOT deleted AND parent <> '';
