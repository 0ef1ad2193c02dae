"""The shape of a database as text: everything that two databases must share to be called alike."""

import asyncpg

OURS = "NOT IN ('pg_catalog', 'information_schema', 'pg_toast') AND n.nspname !~ '^pg_'"

QUERIES = {
    "schema": f"SELECT n.nspname, n.nspacl::text FROM pg_namespace n WHERE n.nspname {OURS}",
    "relation": f"""
        SELECT n.nspname, c.relname, c.relkind, c.relacl::text, c.reloptions::text, c.relpersistence, c.relrowsecurity,
               pg_get_partkeydef(c.oid), pg_get_expr(c.relpartbound, c.oid), pg_get_viewdef(c.oid)
        FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname {OURS} AND c.relkind <> 'i'""",
    "column": f"""
        SELECT n.nspname, c.relname, a.attnum, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull,
               pg_get_expr(d.adbin, d.adrelid), l.collname, a.attstorage, a.attcompression, a.attidentity,
               a.attgenerated, a.attstattarget, a.attacl::text
        FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace
        LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
        LEFT JOIN pg_collation l ON l.oid = a.attcollation
        WHERE n.nspname {OURS} AND a.attnum > 0 AND NOT a.attisdropped AND c.relkind <> 'i'""",
    "constraint": f"""
        SELECT n.nspname, c.conrelid::regclass::text, c.conname, pg_get_constraintdef(c.oid), c.convalidated
        FROM pg_constraint c JOIN pg_namespace n ON n.oid = c.connamespace WHERE n.nspname {OURS}""",
    "index": f"""
        SELECT n.nspname, pg_get_indexdef(i.indexrelid), i.indisvalid, i.indisunique, c.reloptions::text
        FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE n.nspname {OURS}""",
    "trigger": f"""
        SELECT n.nspname, c.relname, pg_get_triggerdef(t.oid), t.tgenabled
        FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE n.nspname {OURS} AND NOT t.tgisinternal""",
    "function": f"""
        SELECT n.nspname, pg_get_functiondef(p.oid), p.proacl::text
        FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace WHERE n.nspname {OURS} AND p.prokind = 'f'""",
    "type": f"""
        SELECT n.nspname, t.typname, t.typtype, t.typacl::text,
               (SELECT array_agg(e.enumlabel::text ORDER BY e.enumsortorder) FROM pg_enum e WHERE e.enumtypid = t.oid)
        FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace
        WHERE n.nspname {OURS} AND t.typtype <> 'b' OR t.typtype = 'b' AND t.typelem = 0 AND n.nspname {OURS}""",
    "extension": "SELECT extname FROM pg_extension",
}


async def shape(connection: asyncpg.Connection) -> str:
    """A line for each thing there is, in an order that does not depend on how it came about."""
    lines: list[str] = []
    for kind, query in QUERIES.items():
        lines += sorted(f"{kind}: {' | '.join(map(str, row))}" for row in await connection.fetch(query))
    return "\n".join(lines)


async def shape_of(dsn: str) -> str:
    connection = await asyncpg.connect(dsn)
    try:
        return await shape(connection)
    finally:
        await connection.close()
