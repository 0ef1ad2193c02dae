-- lock_tree: the Merkle tree as it stands, locked until the transaction ends; no row while another process seals.
SELECT size, partial FROM events.tree FOR UPDATE SKIP LOCKED;
