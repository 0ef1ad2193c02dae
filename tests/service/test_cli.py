"""The `rollbook` command line, run as people run it."""

import asyncio
import json
import os
import re
import secrets
import socket
from pathlib import Path
from typing import Any

import asyncpg
import pytest
import typer.main

from events.outage import SERVICE_ROLE
from events.roles import setup_statement
from service.cli import app
from service.cli.panels import PANELS
from service.commands.keys import DEVELOPMENT_ACCOUNT, DEVELOPMENT_KEY, PERMISSIONS
from tests.service.command_line import output_of, rollbook, run
from tests.service.serving import Api, Serve, environment


def fields(said: str) -> dict[str, str]:
    return dict(line.split(maxsplit=1) for line in said.splitlines()[:3])


async def test_a_key_is_issued_used_listed_and_revoked(serve: Serve, database: str, tmp_path: Path) -> None:
    api = await serve(key_cache_s=0)
    issued = fields(await output_of(database, tmp_path, "keys", "create", "--name", "till"))
    assert issued["key"].startswith("sk_test_")
    assert issued["account"].startswith("acct_")
    assert (await api.get("/v1/customers", key=issued["key"])).status == 200
    listed = await output_of(database, tmp_path, "keys", "list")
    (row,) = [line for line in listed.splitlines() if issued["id"] in line]
    assert issued["account"] in row
    assert "till" in row
    assert "active" in row
    assert issued["key"] not in listed, "a key is shown once"
    assert "revoked" in await output_of(database, tmp_path, "keys", "revoke", issued["id"], "--yes")
    assert (await api.get("/v1/customers", key=issued["key"])).status == 401
    (row,) = [
        line for line in (await output_of(database, tmp_path, "keys", "list")).splitlines() if issued["id"] in line
    ]
    assert "revoked" in row


async def test_keys_of_every_kind_are_issued_for_an_account(api: Api, database: str, tmp_path: Path) -> None:
    async def issued(*words: str) -> dict[str, str]:
        return fields(await output_of(database, tmp_path, "keys", "create", "--account", "acct_mine", *words))

    live, restricted, publishable = await asyncio.gather(
        issued("--live"), issued("--restricted", "customers:read"), issued("--publishable")
    )
    assert (live["account"], live["key"][:8]) == ("acct_mine", "sk_live_")
    assert restricted["key"].startswith("rk_test_")
    assert (await api.get("/v1/customers", key=restricted["key"])).status == 200
    assert (await api.post("/v1/customers", key=restricted["key"])).status == 403
    assert publishable["key"].startswith("pk_test_")
    code, _ = await rollbook(database, tmp_path, "keys", "create", "--publishable", "--restricted", "customers:read")
    assert code == 2


async def test_revoking_a_key_that_never_was_fails_and_says_so(database: str, tmp_path: Path) -> None:
    code, said = await rollbook(database, tmp_path, "keys", "revoke", "key_never", "--yes")
    assert (code, "No such API key: 'key_never'" in said) == (1, True)


async def test_an_empty_database_is_migrated_once(empty_database: str, tmp_path: Path) -> None:
    first = await output_of(empty_database, tmp_path, "migrate")
    assert "applied events/" in first
    again = await output_of(empty_database, tmp_path, "migrate")
    assert again.strip() == "The database is up to date."


async def test_what_a_migration_would_apply_is_listed_and_shown_by_the_exit_code(
    empty_database: str, tmp_path: Path
) -> None:
    code, said = await rollbook(empty_database, tmp_path, "migrate", "--check")
    assert (code, said.splitlines()[0]) == (1, "pending events/migrations/0001_log.sql")
    await output_of(empty_database, tmp_path, "migrate")
    assert (await output_of(empty_database, tmp_path, "migrate", "--check")).strip() == "The database is up to date."


async def test_privileges_that_are_missing_are_pending_and_granted_again(database: str, tmp_path: Path) -> None:
    owner = await asyncpg.connect(database)
    await owner.execute("REVOKE ALL ON SCHEMA events FROM rollbook_service")
    await owner.close()
    what = "grants: the privileges of the role rollbook_service"
    assert await rollbook(database, tmp_path, "migrate", "--check") == (1, f"pending {what}\n")
    assert await output_of(database, tmp_path, "migrate") == f"applied {what}\nThe database is up to date.\n"
    assert (await output_of(database, tmp_path, "migrate", "--check")).strip() == "The database is up to date."


async def test_what_a_superuser_does_once_is_one_statement(database: str, tmp_path: Path) -> None:
    suffix = secrets.token_hex(4)
    owner, processes = f'own"er_{suffix}', f"processes_{suffix}"
    said = await output_of(database, tmp_path, "roles", "--sql", "--owner", owner, "--processes", processes)
    superuser = await asyncpg.connect(database)
    try:
        for _ in range(2):
            await superuser.execute(said)
        for role in (owner, processes):
            assert await superuser.fetchval("SELECT pg_has_role($1, 'rollbook_service', 'MEMBER')", role)
            assert not await superuser.fetchval(
                "SELECT rolsuper OR rolcreaterole FROM pg_roles WHERE rolname = $1", role
            )
            quiet = set(await superuser.fetchval("SELECT rolconfig FROM pg_roles WHERE rolname = $1", role))
            assert quiet == {
                "log_error_verbosity=terse",
                "log_min_error_statement=panic",
                "log_parameter_max_length=0",
                "log_parameter_max_length_on_error=0",
            }, "PostgreSQL's log quotes no values"
    finally:
        await superuser.execute(f"""DROP ROLE IF EXISTS "own""er_{suffix}", {processes}""")
        await superuser.close()


async def test_settings_in_force_are_printed_with_secrets_hidden(database: str, tmp_path: Path) -> None:
    said = await output_of(database, tmp_path, "config", ROLLBOOK_PORT="1234", AMQP_URL="amqp://me:hush@mq/")
    assert "1234" in said
    assert "hush" not in said
    assert database not in said


async def test_what_production_refuses_ends_a_command_with_a_line_each(tmp_path: Path) -> None:
    code, said = await rollbook("", tmp_path, "serve", ROLLBOOK_ENV="production", ROLLBOOK_MASTER_KEY="")
    assert code == 2
    assert [line.partition(":")[0] for line in said.splitlines()] == ["DATABASE_URL", "ROLLBOOK_MASTER_KEY"]


async def test_the_key_of_development_opens_nothing_in_production(serve: Serve, database: str) -> None:
    from service.dev import development_key

    development = await serve()
    await development_key.ensure(development.core)
    await development_key.ensure(development.core)
    assert (await development.get("/v1/customers", key=DEVELOPMENT_KEY)).status == 200
    production = await serve(env="production", database_url=database)
    assert (await production.get("/v1/customers")).status == 200
    assert (await production.get("/v1/customers", key=DEVELOPMENT_KEY)).status == 401


async def test_a_rebuild_gives_identical_rows(api: Api, database: str, tmp_path: Path) -> None:
    ids = [
        (await api.customer(f"name=c{n}&email=c{n % 3}@example.com&metadata[b]=2&metadata[a]=1"))["id"]
        for n in range(20)
    ]
    for n, id in enumerate(ids):
        await api.update(id, f"address[city]=x{n}&metadata[a]=&business_name=b&preferred_locales[]=de")
    await api.delete(f"/v1/customers/{ids[3]}")
    await api.customer("invoice_prefix=LIVE", key=await api.issue(livemode=True))
    connection = await asyncpg.connect(database)
    rows = "SELECT * FROM projections.customer ORDER BY account, livemode, id"
    before = await connection.fetch(rows)
    notices = await connection.fetchval("SELECT count(*) FROM projections.notice")
    await connection.execute("UPDATE projections.customer SET body = 'wrong' WHERE id = $1", ids[5])
    await connection.execute("DELETE FROM projections.customer WHERE id = $1", ids[6])
    said = await output_of(database, tmp_path, "rebuild", "customers", "--yes")
    events = await connection.fetchval("SELECT position FROM events.head")
    assert f"{events}/{events}" in said, "each event was read once"
    assert await connection.fetch(rows) == before
    assert await connection.fetchval("SELECT count(*) FROM projections.notice") == notices, "nothing is published again"
    await connection.close()


@pytest.mark.parametrize("words", [(), ("--help",), ("keys",), ("keys", "--help")])
async def test_help_names_the_commands(tmp_path: Path, words: tuple[str, ...]) -> None:
    _, said = await rollbook("", tmp_path, *words)
    for name in ("create", "list", "revoke") if "keys" in words else ("serve", "api", "relay", "worker", "migrate"):
        assert name in said


def test_every_command_is_in_a_panel_of_the_help() -> None:
    commands = typer.main.get_command(app).commands  # type: ignore[attr-defined]  # a group has them
    assert list(commands) == [name for names in PANELS.values() for name in names]
    assert {command.rich_help_panel for command in commands.values()} == set(PANELS)


async def test_scripts_get_json(serve: Serve, database: str, tmp_path: Path) -> None:
    await serve()

    async def document(*words: str) -> Any:
        code, output, _ = await run(environment(database, tmp_path), *words, "--json")
        assert code == 0
        return json.loads(output)

    assert await document("migrate") == {"applied": []}
    made = await document("keys", "create", "--name", "till\u202e")
    assert set(made) == {"id", "account", "key"}
    [listed] = [key for key in await document("keys", "list") if key["id"] == made["id"]]
    assert (listed["name"], listed["revoked"]) == ("till\u202e", False)
    assert await document("keys", "revoke", made["id"], "--yes") == {"id": made["id"], "revoked": True}
    rows = await document("config")
    values = {row["variable"]: row["value"] for row in rows}
    assert (values["ROLLBOOK_PORT"], values["ROLLBOOK_OPERATIONS_PORT"]) == ("0", None)
    roles = await document("roles", "--owner", "rollbook_owner", "--processes", "rollbook_app")
    assert (roles["owner"], roles["service"], roles["processes"]) == ("rollbook_owner", SERVICE_ROLE, "rollbook_app")
    assert roles["sql"] == setup_statement("rollbook_owner", "rollbook_app")
    assert (await document("rebuild", "customers", "--yes"))["rebuilt"] == "customers"
    assert "customer.created" in await document("trigger", "--list")


async def test_settings_are_printed_whole_into_a_pipe(database: str, tmp_path: Path) -> None:
    said = await output_of(database, tmp_path, "config", COLUMNS="80")
    lines = said.splitlines()
    assert all(line.startswith(("variable", "ROLLBOOK_", "DATABASE_URL", "AMQP_URL")) for line in lines)
    assert "ROLLBOOK_WEBHOOK_CONNECT_TIMEOUT_S" in said
    assert "…" not in said.replace("https://…", "")


@pytest.mark.parametrize(
    "words",
    [("keys", "revoke", "key_x"), ("rebuild", "customers"), ("rebuild", "search"), ("subscribers", "remove", "x"),
     ("endpoints", "cancel-pending", "we_x")],
)  # fmt: skip
async def test_what_deletes_asks_first_and_where_nobody_answers_wants_yes(
    database: str, tmp_path: Path, words: tuple[str, ...]
) -> None:
    code, said = await rollbook(database, tmp_path, *words)
    assert code == 2
    assert "--yes" in said
    assert len(said.splitlines()) == 1


async def test_a_command_makes_no_second_database(tmp_path: Path) -> None:
    for words in (("keys", "list"), ("keys", "create"), ("migrate",), ("rebuild", "search", "--yes")):
        code, said = await rollbook("", tmp_path, *words)
        assert (code, len(said.splitlines())) == (2, 1)
        assert str(tmp_path) in said
        assert "ROLLBOOK_DATA_DIR" in said
    assert os.listdir(tmp_path) == []


async def test_a_misspelt_setting_is_named_with_what_is_meant(database: str, tmp_path: Path) -> None:
    said = await output_of(database, tmp_path, "trigger", "--list", ROLLBOOK_PROT="1", ROLLBOOK_API_KEY="sk_test_x")
    assert said.splitlines()[0] == "ROLLBOOK_PROT: there is no such setting; is it ROLLBOOK_PORT?"
    assert "ROLLBOOK_API_KEY" not in said


async def test_a_locale_without_a_character_gets_its_escape(database: str, tmp_path: Path) -> None:
    settings = await output_of(database, tmp_path, "config", PYTHONIOENCODING="ascii")
    assert "https://\\u2026" in settings


async def test_an_argument_that_cannot_be_decoded_is_refused(database: str, tmp_path: Path) -> None:
    code, said = await rollbook(database, tmp_path, "keys", "create", "--name", os.fsdecode(b"J\xfcrgen"))
    assert (code, said) == (2, "The argument 'J\\udcfcrgen' is not valid in the encoding of the locale.\n")


async def test_the_version_is_printed(tmp_path: Path) -> None:
    assert re.fullmatch(r"rollbook \d+\.\d+\.\d+\S*\n", await output_of("", tmp_path, "--version"))


async def test_help_names_settings_choices_permissions_and_completion(tmp_path: Path) -> None:
    for role in ("serve", "api", "relay", "worker"):
        assert "DATABASE_URL" in await output_of("", tmp_path, role, "-h")
    assert "ROLLBOOK_PORT" in await output_of("", tmp_path, "serve", "--help")
    assert "<none|customer|strict>" in await output_of("", tmp_path, "endpoints", "rules", "-h")
    permissions = " ".join((await output_of("", tmp_path, "keys", "create", "-h")).replace("│", " ").split())
    for right in PERMISSIONS:
        assert right.partition(":")[0] in permissions
    assert DEVELOPMENT_ACCOUNT in permissions
    assert "--install-completion" in await output_of("", tmp_path, "-h")
    code, said = await rollbook("", tmp_path, "trigger")
    assert (code, "--list" in said) == (2, True)


async def test_a_taken_port_names_the_setting(database: str, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        code, said = await rollbook(database, tmp_path, "serve", ROLLBOOK_PORT=port)
    assert (code, f"127.0.0.1 port {port}" in said, "ROLLBOOK_PORT" in said) == (2, True, True)
    assert f"port {port}: Address already in use; ROLLBOOK_PORT names another port" in said


async def test_a_relay_without_a_broker_says_what_it_misses(database: str, tmp_path: Path) -> None:
    code, said = await rollbook(database, tmp_path, "relay", AMQP_URL="")
    assert code == 2
    assert said == "AMQP_URL: the relay publishes to RabbitMQ and needs to know where it is\n"
