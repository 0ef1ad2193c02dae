"""`/v1/privacy/redaction_jobs`: validated, run and resumed by the scheduler; refused to keys without `privacy`."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
import stripe

from events.customer import CUSTOMER
from events.customer.erasure import PlaceHold
from events.record import Origin
from events.redaction_job import CUSTOMERS_MAX
from service.jobs import scheduler
from tests.acting import update
from tests.service.http.subscriptions import report
from tests.service.serving import ACCOUNT, Api, Launch
from tests.waiting import until

URL = "/v1/privacy/redaction_jobs"


@asynccontextmanager
async def scheduling(api: Api) -> AsyncIterator[None]:
    """The scheduler at work in this process."""
    stop = asyncio.Event()
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(scheduler.run(api.core, stop))
        try:
            yield
        finally:
            stop.set()


async def job(api: Api, *customers: str, more: str = "") -> Any:
    named = "&".join(f"objects[customers][]={id}" for id in customers)
    answer = await api.post(URL, f"{named}{more}")
    assert answer.status == 200, answer.body
    return answer.json


async def ends(api: Api, id: str, *, expand: str = "") -> Any:
    """The job once the scheduler is done with it."""

    async def ended() -> Any:
        shown = (await api.get(f"{URL}/{id}{expand}")).json
        return shown if shown["status"] not in ("validating", "redacting") else None

    return await until(ended, timeout_s=30)


async def do(api: Api, id: str, action: str) -> Any:
    answer = await api.post(f"{URL}/{id}/{action}")
    assert answer.status == 200, answer.body
    return await ends(api, id)


async def hold(api: Api, id: str) -> None:
    origin = Origin(account=ACCOUNT, livemode=False, at=api.core.clock.now(), actor="system")
    await update(api.core.executor, CUSTOMER, id, PlaceHold(id="hold_1", at=1, reason="a dispute"), origin)


async def test_a_job_is_validated_then_run_and_its_customers_are_erased(api: Api) -> None:
    living, deleted = (await api.customer("name=Jenny"))["id"], (await api.customer("name=Rosen"))["id"]
    await api.delete(f"/v1/customers/{deleted}")
    made = await job(api, living, deleted, living)
    assert (made["status"], made["objects"], made["validation_behavior"]) == ("validating", None, "error")
    async with scheduling(api):
        ready = await ends(api, made["id"], expand="?expand[]=objects")
        assert (ready["status"], ready["objects"]) == ("ready", {"customers": [living, deleted]})
        assert (await api.get(f"/v1/customers/{living}")).json["name"] == "Jenny"
        done = await do(api, made["id"], "run")
        assert (done["status"], done["validation_errors"]["data"]) == ("succeeded", [])
    assert (await api.get(f"/v1/customers/{living}")).json["deleted"]
    redacted = await api.events("customer.redacted")
    assert {event["data"]["object"]["id"] for event in redacted} == {living, deleted}
    for action in ("cancel", "validate", "run"):
        code, _, message = await api.refused("POST", f"{URL}/{made['id']}/{action}")
        assert (code, "succeeded" in message) == ("redaction_job_unexpected_state", True)


async def test_what_forbids_an_erasure_is_a_validation_error_that_may_be_fixed(api: Api) -> None:
    running, held = (await api.customer())["id"], (await api.customer())["id"]
    await report(api, running)
    await hold(api, held)
    made = await job(api, running, held, "cus_none")
    async with scheduling(api):
        failed = await ends(api, made["id"])
        assert failed["status"] == "failed"
        errors = (await api.get(f"{URL}/{made['id']}/validation_errors")).json
        assert errors["data"] == failed["validation_errors"]["data"]
        assert [one["erroring_object"]["id"] for one in errors["data"]] == [running, held, "cus_none"]
        assert {one["code"] for one in errors["data"]} == {"invalid_state"}
        shown = await api.get(f"{URL}/{made['id']}/validation_errors/{errors['data'][1]['id']}")
        assert shown.json == errors["data"][1]
        assert (await api.get(f"{URL}/{made['id']}/validation_errors/prjve_none")).status == 404
        assert (await api.get(f"{URL}?status=failed")).json["data"][0]["id"] == made["id"]
        assert (await api.get(f"{URL}?status=ready")).json["data"] == []
        assert (await api.post(f"{URL}/{made['id']}", "validation_behavior=fix")).json["validation_behavior"] == "fix"
        again = await do(api, made["id"], "validate")
        assert [one["erroring_object"]["id"] for one in again["validation_errors"]["data"]] == [held, "cus_none"]
        listed = (await api.get(f"{URL}/{made['id']}/validation_errors")).json["data"]
        assert listed == again["validation_errors"]["data"], "those of the first validation are gone"
        assert (await do(api, made["id"], "cancel"))["status"] == "canceled"
        fixed = await job(api, running, more="&validation_behavior=fix")
        assert (await ends(api, fixed["id"]))["status"] == "ready"
        assert (await do(api, fixed["id"], "run"))["status"] == "succeeded"
    assert (await api.get(f"/v1/customers/{held}")).json["id"] == held


async def test_a_hold_that_came_after_the_validation_is_kept_and_the_others_are_erased(api: Api) -> None:
    first, held, last = [(await api.customer())["id"] for _ in range(3)]
    made = await job(api, first, held, last)
    async with scheduling(api):
        assert (await ends(api, made["id"]))["status"] == "ready"
        await hold(api, held)
        done = await do(api, made["id"], "run")
    assert done["status"] == "failed"
    assert [one["erroring_object"]["id"] for one in done["validation_errors"]["data"]] == [held]
    shown = [(await api.get(f"/v1/customers/{id}")).json.get("deleted", False) for id in (first, held, last)]
    assert shown == [True, False, True]


async def test_too_many_objects_and_malformed_requests(api: Api) -> None:
    made = await job(api, *(f"cus_{number}" for number in range(CUSTOMERS_MAX + 1)))
    async with scheduling(api):
        failed = await ends(api, made["id"])
    [error] = failed["validation_errors"]["data"]
    assert (error["code"], error["erroring_object"]) == ("too_many_objects", None)
    assert (await api.refused("POST", URL))[1] == "objects"
    assert (await api.refused("POST", URL, "objects[customers]="))[1] == "objects[customers]"
    assert (await api.refused("POST", URL, "objects[charges][]=ch_1"))[1] == "objects[charges]"
    assert (await api.refused("POST", URL, "objects[customers][]=cus_1&validation_behavior=x"))[1]
    assert (await api.refused("GET", f"{URL}/prj_none", status=404))[0] == "resource_missing"
    assert (await api.refused("POST", f"{URL}/prj_none/run", status=404))[0] == "resource_missing"


async def test_a_restricted_key_needs_the_permission_and_another_account_sees_nothing(api: Api) -> None:
    id = (await job(api, (await api.customer())["id"]))["id"]
    reading = await api.issue(key_type="restricted", permissions=("privacy:read",))
    other = await api.issue(key_type="restricted", permissions=("customers:write",))
    assert (await api.get(f"{URL}/{id}", key=reading)).status == 200
    assert (await api.post(f"{URL}/{id}/run", key=reading)).status == 403
    assert (await api.get(URL, key=other)).status == 403
    stranger = await api.issue(account="acct_other")
    assert (await api.get(f"{URL}/{id}", key=stranger)).status == 404
    assert (await api.post(f"{URL}/{id}/cancel", key=stranger)).status == 404


async def test_what_an_erasure_writes_beside_needs_its_own_permissions(api: Api) -> None:
    async def key_with(*permissions: str) -> str:
        return await api.issue(key_type="restricted", permissions=("privacy:write", *permissions))

    async with scheduling(api):
        customer = (await api.customer())["id"]
        made = await job(api, customer)
        assert (await ends(api, made["id"]))["status"] == "ready"
        run = f"{URL}/{made['id']}/run"
        erases = ("customers:write", "payment_methods:write")
        for missing in erases:
            lacking = await key_with(*(each for each in erases if each != missing))
            refused = await api.post(run, key=lacking)
            assert (refused.status, f"'{missing}' permission" in refused.error["message"]) == (403, True)

        key, cancels = await key_with(*erases), await key_with(*erases, "subscriptions:write")
        fix = "validation_behavior=fix"
        for path, body in ((URL, f"objects[customers][]={customer}&{fix}"), (f"{URL}/{made['id']}", fix)):
            refused = await api.post(path, body, key=key)
            assert (refused.status, "'subscriptions:write' permission" in refused.error["message"]) == (403, True)
        assert (await api.post(f"{URL}/{made['id']}", fix, key=cancels)).status == 200
        assert (await api.post(run, key=key, Idempotency_Key="run")).status == 403
        assert (await ends(api, made["id"]))["status"] == "ready"
        assert (await api.post(run, key=cancels, Idempotency_Key="run")).status == 200, "the refusal was not kept"


async def test_the_official_client_creates_and_reads_a_job(api: Api) -> None:
    customer = (await api.customer())["id"]
    client = stripe.StripeClient(api.key, base_addresses={"api": api.url}, http_client=stripe.UrllibClient())
    made = await asyncio.to_thread(client.raw_request, "post", URL, objects={"customers": [customer]})
    read = await asyncio.to_thread(client.raw_request, "get", f"{URL}/{made.data['id']}")
    assert read.data["object"] == "privacy.redaction_job"


async def test_a_job_whose_worker_is_killed_again_and_again_is_done_once(
    api: Api, launch: Launch, database: str
) -> None:
    customers = [(await api.customer(f"name=qq{number}"))["id"] for number in range(40)]
    made = await job(api, *customers)
    owner = await asyncpg.connect(database)
    variables = {"ROLLBOOK_JOB_LEASE_S": "1", "ROLLBOOK_OPERATIONS_PORT": "0"}

    async def erased() -> list[str]:
        rows = await owner.fetch("SELECT stream FROM events.log WHERE type = 'customer.erased' ORDER BY position")
        return [row["stream"] for row in rows]

    try:
        worker = await launch("worker", **variables)
        assert (await ends(api, made["id"]))["status"] == "ready"
        assert (await api.post(f"{URL}/{made['id']}/run")).status == 200
        await until(erased)
        await worker.kill9()
        before = len(await erased())
        assert 0 < before < len(customers), "it was killed in the middle"
        last = await launch("worker", **variables)
        done = await ends(api, made["id"])
        await last.kill9()
        assert done["status"] == "succeeded"
        assert sorted(await erased()) == sorted(map(CUSTOMER.stream, customers)), "each once"
        left = await owner.fetchval("SELECT count(*) FROM keys.subject WHERE stream LIKE 'customer-%'")
        assert left == 0
    finally:
        await owner.close()
