-- read_tiles: full tiles of the Merkle tree.
-- $1 levels, $2 numbers
SELECT t.level, t.number, t.hashes
FROM unnest($1::smallint[], $2::bigint[]) AS wanted (level, number)
JOIN events.tile t USING (level, number);
