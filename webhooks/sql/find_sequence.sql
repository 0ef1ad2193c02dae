-- find_sequence: where in the feed a notice stands, and whose stream it tells of.
-- $1 account, $2 livemode, $3 id
SELECT sequence, stream FROM projections.notice WHERE id = $3 AND account = $1 AND livemode = $2;
