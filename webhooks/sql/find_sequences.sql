-- find_sequences: where in the feed the notices of one stream stand. It goes through the account's whole feed.
-- $1 account, $2 livemode, $3 stream
SELECT sequence, stream FROM projections.notice WHERE account = $1 AND livemode = $2 AND stream = $3;
