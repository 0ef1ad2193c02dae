-- begin_rebuild: note that a rebuild begins, in place of an earlier one of the same name.
-- $1 name, $2 tables, $3 digest of the code, $4 position of the snapshot
INSERT INTO projections.rebuild (name, state, tables, code, snapshot, position) VALUES ($1, 'filling', $2, $3, $4, $4)
ON CONFLICT (name) DO UPDATE SET state = 'filling', tables = excluded.tables, code = excluded.code,
    snapshot = excluded.snapshot, position = excluded.position, started_at = now();
