-- Receipts are sealed with a key per day, destroyed with its day.
CREATE TABLE keys.receipt_day (
    day date CONSTRAINT receipt_day_pkey PRIMARY KEY,
    wrapped bytea NOT NULL
);
GRANT SELECT, INSERT, DELETE ON keys.receipt_day TO rollbook_service;
