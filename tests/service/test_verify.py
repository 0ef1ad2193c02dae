"""`rollbook verify` over a whole service: what it finds right, and what it names."""

import json
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from events import checkpoint_keys
from events.sealer import Sealer
from tests.service.command_line import output_of, rollbook, run
from tests.service.serving import Api, environment

HOOK = "url=https://example.com/hook&enabled_events[]=*"
KEYS = checkpoint_keys.new("rollbook.example/log")


@pytest.fixture
async def customers(api: Api, tmp_path: Path) -> list[Any]:
    """Customers with a history, under a checkpoint that is kept in a file."""
    made = [await api.customer(f"name=Jenny+{number}&email=jenny@example.com") for number in range(3)]
    made[0] = await api.update(made[0]["id"], "balance=-500&source=tok_visa")
    await api.delete(f"/v1/customers/{made[1]['id']}")
    for path, body in {"coupons": "id=HALF&percent_off=50&duration=once", "webhook_endpoints": HOOK}.items():
        assert (await api.post(f"/v1/{path}", body)).status == 200
    sealer = Sealer(api.core.pool, lambda: KEYS)
    await sealer.catch_up()
    assert sealer.newest is not None
    (tmp_path / "kept").write_text(sealer.newest.note)
    return made


def options(tmp_path: Path) -> list[str]:
    return ["--checkpoint", str(tmp_path / "kept"), "--key", str(KEYS.verifiers[0])]


async def test_a_service_that_nobody_touched_is_verified(
    customers: list[Any], api: Api, database: str, tmp_path: Path
) -> None:
    code, shown, _ = await run(environment(database, tmp_path), "verify", "--json", *options(tmp_path))
    said = json.loads(shown)
    assert code == 0
    assert (
        said["verified"],
        said["refolded"] == said["streams"],
        said["signatures"],
        said["checkpoints_from_outside"],
    ) == (
        True,
        True,
        1,
        1,
    )
    assert said["events"] >= said["proven"] > 5
    text = await output_of(database, tmp_path, "verify", "--sample", "1")
    assert "The objects of 1 streams are shown as their events say." in text
    assert "Without a checkpoint from outside" in text


async def test_what_is_not_as_it_was_written_is_named(
    customers: list[Any], api: Api, database: str, tmp_path: Path
) -> None:
    owner = await asyncpg.connect(database)
    await owner.execute("SET session_replication_role = replica")
    card = customers[0]["default_source"]
    for change, named in (
        ("DELETE FROM projections.resource WHERE kind = 'source'", f"{card} has events and no row"),
        ("UPDATE projections.resource SET deleted = true WHERE id = 'HALF'", "HALF is shown otherwise"),
        ("UPDATE projections.customer SET email = 'x'", "cus_"),
    ):
        await owner.execute(change)
        code, said = await rollbook(database, tmp_path, "verify", *options(tmp_path))
        assert (code, "BROKEN: " in said, named in said) == (1, True, True), said
    position = await owner.fetchval(
        "SELECT min(position) FROM events.log WHERE stream = $1", f"customer-{customers[0]['id']}"
    )
    await owner.execute("UPDATE events.log SET actor = 'key_other' WHERE position = $1", position)
    code, said, _ = await run(environment(database, tmp_path), "verify", "--json", *options(tmp_path))
    found = json.loads(said)
    assert (code, found["verified"], found["position"]) == (1, False, position)
    await owner.close()


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["--key", "nonsense"], "--key: a key is name+key ID+base64"),
        (["--checkpoint", "kept"], "--key: checkpoints are verified with the verifier key"),
        (["--checkpoint", "missing", "--key", str(KEYS.verifiers[0])], "--checkpoint: missing cannot be read"),
    ],
    ids=["a key that is none", "no key", "no checkpoint"],
)
async def test_a_key_or_checkpoint_that_cannot_be_used_is_a_usage_error(
    words: list[str], why: str, database: str, tmp_path: Path
) -> None:
    code, said = await rollbook(database, tmp_path, "verify", *words)
    assert (code, why in said) == (2, True), said
