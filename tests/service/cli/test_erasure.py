"""`rollbook erase` and `rollbook hold`: one customer, a list after a restore, and what refuses it."""

import json
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from tests.service.command_line import output_of, rollbook, run
from tests.service.serving import Api, environment


async def document(database: str, directory: Path, *words: str) -> Any:
    code, output, errors = await run(environment(database, directory), *words, "--json")
    assert code == 0, output + errors
    return json.loads(output)


async def test_a_customer_is_erased_once_and_listed(api: Api, database: str, tmp_path: Path) -> None:
    id = (await api.customer("name=Jenny"))["id"]
    code, said = await rollbook(database, tmp_path, "erase", id)
    assert (code, "Not confirmed" in said) == (2, True)
    assert (await api.get(f"/v1/customers/{id}")).json["name"] == "Jenny"
    assert f"{id} is erased" in await output_of(database, tmp_path, "erase", id, "--yes", "--basis", "Art. 17(1)(b)")
    again = await document(database, tmp_path, "erase", id, "--yes")
    assert again == {"customer": id, "erased": True, "was_erased": True}
    assert (await api.get(f"/v1/customers/{id}")).json["deleted"]
    [listed] = await document(database, tmp_path, "erase", "--list")
    assert (listed["customer"], listed["basis"], listed["requested_by"]) == (id, "Art. 17(1)(b)", "rollbook erase")
    assert id in await output_of(database, tmp_path, "erase", "--list")
    code, said = await rollbook(database, tmp_path, "erase", "cus_none", "--yes")
    assert (code, "No such customer" in said) == (1, True)


async def test_a_hold_refuses_it_until_it_is_released(api: Api, database: str, tmp_path: Path) -> None:
    id = (await api.customer("name=Jenny"))["id"]
    assert "no legal hold" in await output_of(database, tmp_path, "hold", id)
    [hold] = await document(database, tmp_path, "hold", id, "--reason", "a dispute")
    assert (hold["customer"], hold["reason"]) == (id, "a dispute")
    code, said = await rollbook(database, tmp_path, "erase", id, "--yes")
    assert (code, "legal hold" in said) == (1, True)
    assert await document(database, tmp_path, "hold", id, "--release") == []
    await output_of(database, tmp_path, "erase", id, "--yes")
    code, said = await rollbook(database, tmp_path, "hold", id, "--reason", "too late")
    assert (code, "has been erased" in said) == (1, True)


async def test_a_list_is_replayed_after_a_restore_that_lost_the_erasures(
    api: Api, database: str, tmp_path: Path
) -> None:
    erased, held = (await api.customer("name=Jenny"))["id"], (await api.customer("name=Rosen"))["id"]
    owner = await asyncpg.connect(database)
    keys = await owner.fetch("SELECT stream, wrapped FROM keys.subject")
    await output_of(database, tmp_path, "erase", erased, "--yes")
    # The keys came back with a backup; of the other customer, the event was lost too.
    await owner.executemany("INSERT INTO keys.subject VALUES ($1, $2) ON CONFLICT DO NOTHING", keys)
    listed = await document(database, tmp_path, "erase", "--list")
    file = tmp_path / "erasures.json"
    lost = {**listed[0], "customer": held}
    file.write_text(json.dumps([*listed, lost, {**lost, "customer": "cus_none"}, {**lost, "account": "acct_x"}]))
    await output_of(database, tmp_path, "hold", held, "--reason", "a dispute")
    code, said = await rollbook(database, tmp_path, "erase", "--replay", str(file), "--yes")
    assert (code, "refused" in said) == (1, True)
    await output_of(database, tmp_path, "hold", held, "--release")
    outcomes = await document(database, tmp_path, "erase", "--replay", str(file), "--yes")
    assert [one["outcome"] for one in outcomes] == ["was erased", "erased", "missing", "missing"]
    assert await owner.fetchval("SELECT count(*) FROM keys.subject WHERE stream LIKE 'customer-%'") == 0
    await owner.close()
    assert (await api.get(f"/v1/customers/{held}")).json["deleted"]


@pytest.mark.parametrize("text", ["", "{}", '[{"customer": 1}]', "\xff"])
async def test_a_file_that_is_no_list_is_a_usage_error(tmp_path: Path, text: str) -> None:
    file = tmp_path / "erasures.json"
    file.write_text(text, encoding="latin-1")
    code, said = await rollbook("", tmp_path, "erase", "--replay", str(file), "--yes")
    assert (code, "is no list" in said.replace("\n", " ")) == (2, True), said


@pytest.mark.parametrize(
    "words", [("erase",), ("erase", "cus_1", "--list"), ("hold", "cus_1", "--reason", " "), ("hold",)]
)
async def test_wrong_usage_is_exit_code_2(tmp_path: Path, words: tuple[str, ...]) -> None:
    assert (await rollbook("", tmp_path, *words))[0] == 2
