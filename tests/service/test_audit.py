"""The audit trail in the log: who read what."""

from datetime import UTC, datetime

import orjson

from events.record import Origin
from events.scope import Scope
from service.commands import audit
from tests.service.serving import ACCOUNT, Api


async def test_a_read_is_recorded_with_who_read_what(api: Api) -> None:
    at = datetime(2026, 11, 27, 12, tzinfo=UTC)
    origin = Origin(ACCOUNT, False, at, actor="key_1", request_id="req_1")
    await audit.record_read(
        api.core.executor, origin, "audit.log", filters={"after": 7, "types": None, "from": "x" * 999}
    )
    await audit.record_read(api.core.executor, origin, "audit.customers.events", "customer-cus_1")
    records = (await api.core.log.load(f"audit_trail-{ACCOUNT}-test-20261127")).records
    first, second = (orjson.loads(record.payload) for record in records)
    assert first == {"filters": {"after": "7", "from": "x" * 500}, "operation": "audit.log", "subject": ""}
    assert second["subject"] == "customer-cus_1"
    assert {(record.origin.actor, record.origin.request_id) for record in records} == {("key_1", "req_1")}
    assert await api.events() == []


async def test_a_command_is_run_by_an_operator(api: Api) -> None:
    assert audit.operator(Scope(ACCOUNT, True), api.core.clock).actor.startswith("operator:")
