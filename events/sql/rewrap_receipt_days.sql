-- rewrap_receipt_days: replace wrapped keys of days, where they are as they were read.
-- $1 days, $2 as read, $3 rewrapped
UPDATE keys.receipt_day k SET wrapped = n.wrapped
FROM unnest($1::date[], $2::bytea[], $3::bytea[]) AS n (day, was, wrapped)
WHERE k.day = n.day AND k.wrapped = n.was;
