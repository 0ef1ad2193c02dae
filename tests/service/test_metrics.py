"""What `/metrics` shows of a whole service, and that dashboards and alerts ask for nothing else."""

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families

from service.commands.keys import DEVELOPMENT_KEY
from tests.servers.receiver import Answer, Receiver
from tests.service.conftest import Broker
from tests.service.serving import Api, Launch, Process
from tests.waiting import until

DEPLOY = Path(__file__).parents[2] / "deploy"
SUFFIXES = {"counter": ("_total",), "histogram": ("_bucket", "_count", "_sum"), "gauge": ("",)}
OURS = re.compile(r"\b(?:events|projections|webhooks|service)_[a-z_]+")


async def families(api: Api, process: Process) -> dict[str, Metric]:
    async with api.session.get(f"{process.url}/metrics") as answer:
        assert answer.status == 200
        return {family.name: family for family in text_string_to_metric_families(await answer.text())}


def values(family: Metric) -> dict[tuple[str, ...], float]:
    """The samples by their labels' values."""
    return {tuple(sample.labels.values()): sample.value for sample in family.samples}


@pytest.mark.rabbitmq
async def test_a_service_exports_every_metric_that_a_dashboard_asks_for(
    broker: Broker, api: Api, launch: Launch, receiver: Receiver
) -> None:
    process = await launch("serve", ROLLBOOK_LOOK_EVERY_S="0.1", **broker.variables)
    elsewhere = replace(api, port=process.port, key=DEVELOPMENT_KEY)
    receiver.behave("/failing", Answer(status=503))
    ids = {}
    for path in ("/hook", "/failing"):
        made = await elsewhere.post("/v1/webhook_endpoints", f"url={receiver.url(path)}&enabled_events[]=*")
        ids[path] = made.json["id"]
    await elsewhere.customer()
    await receiver.wait_for(2)

    async def settled() -> dict[str, Metric] | None:
        found = await families(api, process)
        if "webhooks_lanes" not in found or values(found["webhooks_lanes"])["scheduled",] != 1:
            return None
        return found if values(found["webhooks_relay_published"])[()] >= 1 else None  # after a takeover it is repeated

    found = await until(settled, timeout_s=60)  # the relay and the consumer declare quorum queues, which may take long
    assert found is not None
    assert values(found["webhooks_attempts"]) == {
        ("delivered",): 1, ("retry",): 1, ("gave_up",): 0, ("own_fault",): 0
    }  # fmt: skip
    assert values(found["webhooks_attempt_faults"]) == {("status_5xx",): 1}
    assert values(found["webhooks_endpoint_attempts"]) == {
        (ids["/hook"], "delivered"): 1,
        (ids["/failing"], "retry"): 1,
    }
    assert values(found["webhooks_lanes"]) == {("idle",): 1, ("scheduled",): 1, ("ready",): 0, ("leased",): 0}
    assert values(found["webhooks_breakers"]) == {("closed",): 2, ("open",): 0, ("half_open",): 0}
    left_alone = values(found["webhooks_lanes_suspended"])
    assert left_alone == {("retry_after",): 0, ("gone",): 0, ("set_aside",): 0, ("disabled",): 0}
    assert values(found["webhooks_deliveries_pending"]) == {(): 1}
    [count] = (sample for sample in found["webhooks_attempt_seconds"].samples if sample.name.endswith("_count"))
    assert count.value == 2
    known = {family.name + suffix for family in found.values() for suffix in SUFFIXES[family.type]}
    dashboard = json.loads((DEPLOY / "dashboards" / "rollbook.json").read_text())
    asked = {target["expr"] for panel in dashboard["panels"] for target in panel.get("targets", ())}
    alerts = (DEPLOY / "alerts" / "rollbook.yaml").read_text()
    for text in (*asked, alerts):
        names = set(OURS.findall(text))
        assert names, text
        assert names <= known, f"{names - known} in {text}"
