-- find_receipt_key: the wrapped key that one day's receipts are sealed with.
-- $1 day
SELECT wrapped FROM keys.receipt_day WHERE day = $1;
