-- find_sequence: the position of a notice in the feed, and its stream.
-- $1 account, $2 livemode, $3 id
SELECT sequence, stream FROM projections.notice WHERE id = $3 AND account = $1 AND livemode = $2;
