-- add_receipt_key: keep the wrapped key of a day, unless the day has one.
-- $1 day, $2 wrapped
INSERT INTO keys.receipt_day (day, wrapped) VALUES ($1, $2) ON CONFLICT (day) DO NOTHING;
