-- store_tiles: move the edge of the Merkle tree, and store the tiles that became full; the row of the tree is locked.
-- $1 size, $2 partial tiles, $3 levels, $4 numbers, $5 hashes of the full tiles
WITH stored AS (
    INSERT INTO events.tile (level, number, hashes) SELECT * FROM unnest($3::smallint[], $4::bigint[], $5::bytea[])
)
UPDATE events.tree SET size = $1, partial = $2;
