"""A dump without the keys: it restores, the service says what is missing, and a dump of the keys makes it whole."""

import asyncio
from pathlib import Path

import asyncpg
import pytest

from events.errors import DatabaseUnsuitable
from service import suitability
from service.dev.postgres import installed_programs
from service.wiring import build
from tests.service.command_line import rollbook
from tests.service.serving import Serve, serving, settings_for


async def program(name: str, *arguments: str) -> None:
    process = await asyncio.create_subprocess_exec(
        installed_programs() / name, *arguments, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE
    )
    _, said = await process.communicate()
    assert (process.returncode, said) == (0, b"")


@pytest.mark.parametrize("schema_only", [False, True])
async def test_a_dump_without_keys_is_whole_once_the_dump_of_the_keys_is_restored(
    serve: Serve, database: str, empty_database: str, tmp_path: Path, schema_only: bool
) -> None:
    api = await serve()
    await suitability.prepare(api.core)
    customer = await api.customer("name=Alice", Idempotency_Key="once")
    without = "--exclude-table-data=keys.*" if schema_only else "--exclude-schema=keys"
    await program("pg_dump", "-Fc", "-d", database, without, "-f", str(tmp_path / "log"))
    await program("pg_dump", "-Fc", "-d", database, "--schema=keys", "-f", str(tmp_path / "keys"))
    assert b"Alice" not in (tmp_path / "keys").read_bytes()

    await program("pg_restore", "-d", empty_database, str(tmp_path / "log"))
    for command in ("migrate", "keys list", "rebuild customers --yes"):
        code, said = await rollbook(empty_database, tmp_path, *command.split())
        assert code == 1
        assert said.startswith("The database was restored without its keys (")
        assert said.count("\n") == 1
    core = await build(settings_for(tmp_path), empty_database)
    with pytest.raises(DatabaseUnsuitable, match="restored without its keys"):
        await suitability.require(core)
    await core.close()

    owner = await asyncpg.connect(empty_database)
    assert await owner.fetchval("SELECT count(*) FROM events.log") == await _position(api.core.dsn)
    if schema_only:
        await owner.execute("DROP SCHEMA keys CASCADE")
    await owner.close()
    await program("pg_restore", "-d", empty_database, str(tmp_path / "keys"))
    code, said = await rollbook(empty_database, tmp_path, "migrate")
    assert code == 0, said
    async with serving(settings_for(tmp_path), empty_database) as restored:
        restored.key = api.key
        await suitability.require(restored.core)
        assert await restored.customer("name=Alice", Idempotency_Key="once") == customer, "answers are readable"
        changed = await restored.update(customer["id"], "metadata[restored]=yes")
        assert changed == {**customer, "metadata": {"restored": "yes"}}, (
            "and so is the log, which a change is folded from"
        )


async def _position(dsn: str) -> int:
    owner = await asyncpg.connect(dsn)
    position: int = await owner.fetchval("SELECT position FROM events.head")
    await owner.close()
    return position
