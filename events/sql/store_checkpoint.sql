-- store_checkpoint: keep a checkpoint that was signed.
-- $1 size, $2 root, $3 origin, $4 note
-- Fails on checkpoint_pkey when there is one of that size.
INSERT INTO events.checkpoint (size, root, origin, note, signed_at) VALUES ($1, $2, $3, $4, now());
