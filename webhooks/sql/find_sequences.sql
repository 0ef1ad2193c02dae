-- find_sequences: the feed positions of the notices of one stream. Scans the whole feed of the account.
-- $1 account, $2 livemode, $3 stream
SELECT sequence, stream FROM projections.notice WHERE account = $1 AND livemode = $2 AND stream = $3;
