"""`rollbook history`: an object's events, its state at a moment, and the difference of two."""

import io
import json
from pathlib import Path

import pytest
from rich.console import Console

from service.cli import history
from service.cli.output import Output
from tests.service.command_line import output_of, rollbook
from tests.service.serving import ACCOUNT, Api


async def test_every_event_is_shown_with_who_caused_it_and_what_it_changed(
    api: Api, database: str, tmp_path: Path
) -> None:
    id = (await api.customer("name=Jenny%1B%5B2J&email=a@example.com"))["id"]
    await api.post(f"/v1/customers/{id}", "email=b@example.com", Idempotency_Key="once")
    await api.delete(f"/v1/customers/{id}")
    shown = await output_of(database, tmp_path, "history", id)
    assert [line.split()[0] for line in shown.splitlines() if line[:7].strip()] == ["1", "2", "3"]
    assert '/email  "a@example.com" -> "b@example.com"' in shown
    assert "/deleted  false -> true" in shown
    assert f"of {ACCOUNT}, request req_" in shown
    assert "idempotency key once" in shown
    assert ("\x1b" in shown, '"Jenny\\u001b[2J"' in shown) == (False, True)
    listed = json.loads(await output_of(database, tmp_path, "history", id, "--json"))
    assert [one["version"] for one in listed] == [1, 2, 3]
    audited = (await api.get(f"/v1/rollbook/audit/customers/{id}/events")).json["data"]
    assert listed == audited[::-1]


async def test_the_object_is_shown_at_a_moment_and_between_two(api: Api, database: str, tmp_path: Path) -> None:
    id = (await api.customer("name=First&metadata[plan]=a"))["id"]
    await api.update(id, "name=Second")
    first = await output_of(database, tmp_path, "history", id, "--at", "1")
    assert f"customer-{id} at version 1" in first
    assert ('/name  "First"' in first, '/metadata/plan  "a"' in first) == (True, True)
    difference = await output_of(database, tmp_path, "history", f"customer-{id}", "--at", "1", "--to", "2")
    assert difference.splitlines()[1:] == ['  /name  "First" -> "Second"']
    state = json.loads(await output_of(database, tmp_path, "history", id, "--at", "2", "--json"))
    assert state == (await api.get(f"/v1/rollbook/audit/customers/{id}?at=2")).json
    trail = [
        json.loads(line.payload)
        for line in await api.core.log.read(0, 100)
        if line.type == "audit.read" and line.origin.actor.startswith("operator:")
    ]
    assert trail[0] == {"filters": {"at": "1"}, "operation": "rollbook history", "subject": f"customer-{id}"}
    await api.post("/v1/coupons", "id=HALF&percent_off=50&duration=once")
    assert "/percent_off  - -> 50" in await output_of(database, tmp_path, "history", f"coupon-{ACCOUNT}:test:HALF")


async def test_of_an_erased_customer_the_history_stays_and_the_person_does_not(
    api: Api, database: str, tmp_path: Path
) -> None:
    id = (await api.customer("name=Jenny&email=jenny@example.com"))["id"]
    await output_of(database, tmp_path, "hold", id, "--reason", "a dispute")
    assert '"reason":"a dispute"' in await output_of(database, tmp_path, "history", id)
    await output_of(database, tmp_path, "hold", id, "--release")
    await output_of(database, tmp_path, "erase", id, "--yes")
    shown = await output_of(database, tmp_path, "history", id)
    assert "personal data is sealed for ever" in shown
    assert "/erased_at  - -> " in shown
    for personal in ("Jenny", "jenny@example.com", "a dispute"):
        assert personal not in shown
        for at in ("1", "2", "4"):
            assert personal not in await output_of(database, tmp_path, "history", id, "--at", at, "--json")


async def test_what_is_not_there_is_one_line(database: str, tmp_path: Path) -> None:
    assert await rollbook(database, tmp_path, "history", "cus_none") == (1, "No such customer: 'cus_none'\n")
    for words in (("nothing",), ("cus_1", "--to", "1")):
        assert (await rollbook(database, tmp_path, "history", *words))[0] == 2


async def test_moments_that_are_none_are_refused(api: Api, database: str, tmp_path: Path) -> None:
    id = (await api.customer())["id"]
    assert (await rollbook(database, tmp_path, "history", id, "--at", "yesterday"))[0] == 2
    code, said = await rollbook(database, tmp_path, "history", id, "--at", "7")
    assert (code, said) == (1, "Version 7 does not exist: the last one is 1.\n")
    assert (await rollbook(database, tmp_path, "history", id, "--at", "2000-01-01"))[0] == 1


def test_nothing_is_wider_than_the_terminal() -> None:
    file = io.StringIO()
    out = Output(console=Console(file=file, width=80, force_terminal=True, color_system=None, highlight=False))
    change = {"path": "/metadata/" + "k" * 40, "from": "word " * 30, "to": {"a": "x" * 200}}
    event = {
        "version": 12,
        "time": "2026-11-27T12:00:00.123456Z",
        "type": "customer.updated",
        "position": 812,
        "actor": {"id": "key_1", "type": "api_key", "name": "a long name of a key", "account": "acct_" + "1" * 40},
        "request_id": "req_1",
        "idempotency_key": "k" * 255,
        "causation_id": None,
        "sealed": True,
        "changes": [change],
    }
    history._print_event(out, event, last=True)
    lines = file.getvalue().splitlines()
    assert lines[0] == "   12  2026-11-27 12:00:00.123Z  customer.updated"
    assert max(map(len, lines)) <= 80


@pytest.mark.parametrize("id", ["cus_1", "coupon-acct:test:x", "clock_1", "subscriber-ledger", "key_1", "we_1"])
def test_a_stream_is_found_by_its_name_or_by_an_id(id: str) -> None:
    kind, stream = history._kind_of(id)
    assert stream == id if "-" in id else stream == f"{kind.decider.kind}-{id}"
