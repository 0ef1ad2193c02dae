-- drop_receipt_keys: destroy the keys of the days before one, so that receipts of theirs are unreadable in backups too.
-- $1 day
DELETE FROM keys.receipt_day WHERE day < $1;
