-- find_entry: the entry in the Merkle tree of an event of an account and mode.
-- $1 position, $2 account, $3 livemode
SELECT hash FROM events.log WHERE position = $1 AND account = $2 AND livemode = $3;
