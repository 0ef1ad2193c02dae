"""The append engine against pgbench's best for the same rows, inserted one transaction each.

The same rows: an event, its stream's head, a key, a receipt, a customer and a notice, of the same sizes and with ids
as scattered, into the same tables with the same indexes, each commit on disk. pgbench checks no versions, takes no
gapless position (a sequence numbers its rows), links no chain and sends no payload over the wire, since its script
holds it; and all six inserts are one statement, one round trip.
"""

import asyncio
import re
from asyncio.subprocess import PIPE, Process
from collections.abc import Sequence
from pathlib import Path

import asyncpg

from tests.benchmarks.figures import Bound, Figure, take_turns
from tests.benchmarks.processes import ask, helper
from tests.benchmarks.servers import Bench, program

CLIENTS = (1, 8, 16, 32)
CHOOSING_S, WINDOW_S = 2.0, 2.0
APPENDS = 20_000
ID = "substr(md5(n::text), 1, 14)"
# What differs from row to row, by table and column; everything else is as a row of the engine's has it.
FRESH = {
    "events.log": {"position": "n", "stream": f"'customer-cus_' || {ID}", "idempotency_key": f"'req_' || {ID}"},
    "events.stream": {"stream": f"'customer-cus_' || {ID}"},
    "keys.subject": {"stream": f"'customer-cus_' || {ID}"},
    "events.receipt": {"key": f"'req_' || {ID}", "answered_at": "clock_timestamp()"},
    "projections.customer": {
        "id": f"'cus_' || {ID}",
        "position": "n",
        "email": f"'jenny.' || {ID} || '@example.com'",
        "invoice_prefix": "substr(md5('prefix' || n), 1, 12)",
    },
    "projections.notice": {"sequence": "n", "appended_at": "clock_timestamp()", "id": f"'evt_' || {ID}"},
}
NUMBERS = "CREATE SEQUENCE public.serial START 1000 CACHE 1"


async def append(bench: Bench) -> Sequence[Figure]:
    """Appends a second by the engine, and by whole commands."""
    appends = APPENDS // 4 if bench.quick else APPENDS
    async with bench.database() as dsn, bench.database() as dsn_of_pgbench, helper("engine", dsn) as engine:
        script = bench.scratch("pgbench") / "insert.sql"
        await _write_script(dsn_of_pgbench, script)
        tried = {clients: await _pgbench(dsn_of_pgbench, script, clients, CHOOSING_S) for clients in CLIENTS}
        best = max(tried, key=lambda clients: tried[clients])
        engine_rounds, commands_rounds = [
            await take_turns(
                lambda: _pgbench(dsn_of_pgbench, script, best, bench.seconds(WINDOW_S)),
                lambda what=what: _engine(engine, what, appends),  # type: ignore[misc]  # a lambda's default
                rounds=bench.rounds,
            )
            for what in ("engine", "commands")
        ]
    baseline = f"pgbench, {best} clients, the same rows in one statement and transaction each"
    return [
        engine_rounds.figure(
            row="append",
            what="append engine: batches, versions checked, chain, read models",
            unit="appends/s",
            baseline_is=baseline,
            bound=Bound("at least", 2),
        ),
        commands_rounds.figure(
            row="append",
            what="whole commands: decided, sealed, chained, rendered, appended",
            unit="commands/s",
            baseline_is=baseline,
        ),
    ]


async def _engine(process: Process, what: str, count: int) -> float:
    return float(await ask(process, f"{what} {count}"))


async def _write_script(dsn: str, path: Path) -> None:
    """Let one customer be created, and write the script that inserts rows like its."""
    async with helper("engine", dsn) as engine:
        await _engine(engine, "commands", 1)
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute(NUMBERS)
        inserts = [await _insert(connection, table, fresh) for table, fresh in FRESH.items()]
    finally:
        await connection.close()
    named = [f"i{number} AS ({insert})" for number, insert in enumerate(inserts)]
    parts = ["serial AS MATERIALIZED (SELECT nextval('public.serial') AS n)", *named]
    _write(path, f"WITH {', '.join(parts)} SELECT 1;\n")


async def _insert(connection: asyncpg.Connection, table: str, fresh: dict[str, str]) -> str:
    """An INSERT of a row like the one there, but for the columns that are `fresh`."""
    columns = await connection.fetch(
        "SELECT attname AS name, format_type(atttypid, atttypmod) AS type FROM pg_attribute "
        "WHERE attrelid = $1::text::regclass AND attnum > 0 AND NOT attisdropped ORDER BY attnum",
        table,
    )
    literals = ", ".join(f"quote_nullable({column['name']}::text)" for column in columns)
    row = await connection.fetchrow(f"SELECT {literals} FROM {table} LIMIT 1")
    values = [
        fresh.get(column["name"], f"{literal}::{column['type']}") for column, literal in zip(columns, row, strict=True)
    ]
    names = ", ".join(column["name"] for column in columns)
    return f"INSERT INTO {table} ({names}) SELECT {', '.join(values)} FROM serial"


async def _pgbench(dsn: str, script: Path, clients: int, duration_s: float) -> float:
    """Transactions a second."""
    threads = min(clients, 2)
    process = await asyncio.create_subprocess_exec(
        program("pgbench"),
        *("--no-vacuum", "--protocol=prepared", f"--file={script}", f"--time={max(round(duration_s), 1)}"),
        *(f"--client={clients}", f"--jobs={threads}", dsn),
        stdout=PIPE,
        stderr=PIPE,
        start_new_session=True,
    )
    try:
        output, errors = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    found = re.search(rb"tps = ([\d.]+)", output)
    if process.returncode != 0 or found is None:
        raise RuntimeError(f"pgbench failed: {errors.decode()[-2000:]}")
    return float(found[1])


def _write(path: Path, text: str) -> None:
    path.write_text(text)
