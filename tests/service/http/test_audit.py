"""`/v1/rollbook/audit`: what happened to an object, who did it, and how the object was."""

import json
from datetime import UTC, datetime
from typing import Any

from events import cloudevents
from events.record import Origin
from events.scope import Scope
from events.unit_of_work import UnitOfWork
from service.commands import audit
from service.history import Moment, time_of
from service.history_kinds import KINDS
from tests import api_keys
from tests.service.serving import ACCOUNT, Api
from webhooks.broker import subscribers
from webhooks.broker.subscriber import SUBSCRIBER, AddSubscriber

AUDIT = "/v1/rollbook/audit"


async def history(api: Api, path: str, query: str = "") -> list[Any]:
    """The events of an object, oldest first."""
    answer = await api.get(f"{AUDIT}/{path}/events?limit=100{query}")
    assert answer.status == 200, answer.body
    return list(reversed(answer.json["data"]))


def changed(event: Any) -> dict[str, Any]:
    return {one["path"]: (one["from"], one["to"]) for one in event["changes"]}


async def test_every_event_says_who_did_it_and_what_changed_from_what_to_what(api: Api) -> None:
    made = await api.post("/v1/customers", "email=a@example.com&metadata[a/b]=1", Idempotency_Key="made-once")
    id = made.json["id"]
    await api.update(id, "email=b@example.com&metadata[a/b]=2&address[city]=Kyiv")
    await api.post(f"/v1/customers/{id}/tax_ids", "type=eu_vat&value=DE123456789")
    await api.post(f"/v1/customers/{id}/balance_transactions", "amount=-500&currency=usd")
    await api.post(f"/v1/customers/{id}/sources", "source=tok_visa")
    await api.delete(f"/v1/customers/{id}")
    created, updated, tax_id, balance, source, *_, deleted = await history(api, f"customers/{id}")
    assert created["actor"]["type"] == "api_key"
    assert created["actor"]["account"] == ACCOUNT
    assert created["actor"]["key"].startswith("sk_test_")
    assert (created["idempotency_key"], created["request_id"]) == ("made-once", made.headers["Request-Id"])
    assert (created["version"], created["type"], created["data"]["attributes"]["email"]) == (
        1,
        "customer.created",
        "a@example.com",
    )
    assert changed(created)["/email"] == (None, "a@example.com")
    assert changed(updated) == {
        "/address": (
            None,
            {"city": "Kyiv", "country": None, "line1": None, "line2": None, "postal_code": None, "state": None},
        ),
        "/email": ("a@example.com", "b@example.com"),
        "/metadata/a~1b": ("1", "2"),
    }
    [(path, (before, after))] = changed(tax_id).items()
    assert (path, before, after["value"]) == (f"/tax_ids/{after['id']}", None, "DE123456789")
    assert changed(balance)["/invoice_credit_balance/usd"] == (None, 500)
    assert any(path.startswith("/balance_transactions/cbtxn_") for path in changed(balance))
    assert any(path.startswith("/sources/card_") for path in changed(source))
    assert changed(deleted)["/deleted"] == (False, True)
    assert not deleted["sealed"]


async def test_a_page_goes_on_after_an_event_in_either_direction(api: Api) -> None:
    id = (await api.customer())["id"]
    for number in range(5):
        await api.update(id, f"name={number}")
    path = f"{AUDIT}/customers/{id}/events"
    first = (await api.get(f"{path}?limit=2")).json
    assert ([one["version"] for one in first["data"]], first["has_more"]) == ([6, 5], True)
    rest = (await api.get(f"{path}?limit=4&starting_after={first['data'][-1]['id']}")).json
    assert ([one["version"] for one in rest["data"]], rest["has_more"]) == ([4, 3, 2, 1], False)
    back = (await api.get(f"{path}?limit=2&ending_before={rest['data'][-1]['id']}")).json
    assert ([one["version"] for one in back["data"]], back["has_more"]) == ([3, 2], True)
    assert (await api.get(f"{path}?starting_after={rest['data'][-1]['id']}")).json["data"] == []


async def test_the_object_is_shown_as_it_was_at_a_version_a_position_or_a_time(api: Api) -> None:
    shown = await api.customer("name=First&email=a@example.com")
    id, path = shown["id"], f"{AUDIT}/customers/{shown['id']}"
    await api.update(id, "name=Second")
    await api.delete(f"/v1/customers/{id}")
    created, updated, deleted = await history(api, f"customers/{id}")
    first = (await api.get(f"{path}?at=1")).json
    assert {key: first["state"][key] for key in shown} == shown
    assert first["point"] == {key: created[key] for key in ("position", "time", "version")}
    for moment in ("2", f"position:{updated['position']}", updated["time"]):
        assert (await api.get(f"{path}?at={moment}")).json["state"]["name"] == "Second"
    now = (await api.get(path)).json
    assert (now["point"]["version"], now["state"]["deleted"], now["state"]["name"]) == (3, True, "Second")
    difference = (await api.get(f"{path}?at=1&to=position:{deleted['position']}")).json
    assert changed(difference) == {"/name": ("First", "Second"), "/deleted": (False, True)}
    born = (await api.get(f"{path}?at=2000-01-01&to=1")).json
    assert (born["from"], changed(born)["/name"]) == (None, (None, "First"))


async def test_the_fold_of_a_history_is_what_the_api_shows(api: Api) -> None:
    """Of every kind with a route of its own: the last state has the values that a GET answers."""
    customer = (await api.customer("name=J"))["id"]
    await api.post("/v1/coupons", "id=HALF&percent_off=50&duration=once&metadata[a]=1")
    made = {
        "customers": ("/v1/customers", customer),
        "coupons": ("/v1/coupons", "HALF"),
        "promotion_codes": ("/v1/promotion_codes", "promotion[type]=coupon&promotion[coupon]=HALF&code=X"),
        "payment_methods": ("/v1/payment_methods", "type=card&card[token]=tok_visa"),
        "tokens": ("/v1/tokens", "card[number]=4242424242424242&card[exp_month]=12&card[exp_year]=2034&card[cvc]=123"),
        "tax_ids": ("/v1/tax_ids", "type=eu_vat&value=DE123456789"),
        "test_clocks": ("/v1/test_helpers/test_clocks", "frozen_time=1900000000&name=A"),
        "webhook_endpoints": ("/v1/webhook_endpoints", "url=https://example.com/hooks&enabled_events[]=*"),
        "redaction_jobs": ("/v1/privacy/redaction_jobs", f"objects[customers][]={customer}"),
    }
    for kind, (collection, body) in made.items():
        id = (await api.post(collection, body)).json["id"] if "=" in body else body
        shown = (await api.get(f"{collection}/{id}")).json
        audited = (await api.get(f"{AUDIT}/{kind}/{id}")).json
        assert {key: audited["state"][key] for key in shown} == shown, kind
        [first, *_] = await history(api, f"{kind}/{id}")
        assert (first["version"], first["stream"]) == (1, audited["stream"]), kind
        assert first["changes"], kind


async def test_the_history_of_a_key_says_when_it_was_revoked(api: Api) -> None:
    id, _ = await api_keys.issue(api.core, account=ACCOUNT, key_type="restricted", permissions=("audit:read",))
    await api_keys.revoke(api.core, id)
    issued, revoked = await history(api, f"api_keys/{id}")
    assert (changed(issued)["/type"], changed(issued)["/permissions"]) == ((None, "restricted"), (None, ["audit:read"]))
    assert changed(revoked) == {"/revoked": (False, True)}
    assert (issued["actor"]["type"], issued["request_id"]) == ("system", None)
    assert (await api.get(f"{AUDIT}/api_keys/{id}?at=1")).json["state"]["revoked"] is False


async def test_a_secret_is_never_shown(api: Api) -> None:
    made = (await api.post("/v1/webhook_endpoints", "url=https://example.com/hooks&enabled_events[]=*")).json
    await api.post(f"/v1/rollbook/webhook_endpoints/{made['id']}/roll_secret", "overlap=1")
    for path in (f"webhook_endpoints/{made['id']}/events", f"webhook_endpoints/{made['id']}"):
        answer = await api.get(f"{AUDIT}/{path}")
        assert (answer.status, b"whsec_" in answer.body) == (200, False)
    rolled = (await history(api, f"webhook_endpoints/{made['id']}"))[-1]
    assert changed(rolled) == {"/secrets": (1, 2)}


async def test_every_read_is_an_event_that_names_who_read_what(api: Api) -> None:
    id = (await api.customer())["id"]
    key = await api.issue(key_type="restricted", permissions=("audit:read",))
    await api.get(f"{AUDIT}/customers/{id}/events?limit=3", key=key)
    await api.get(f"{AUDIT}/customers/{id}?at=1", key=key)
    trail = f"{ACCOUNT}-test-{datetime.now(UTC):%Y%m%d}"
    await history(api, f"audit_trails/{trail}")
    first, second, third = await history(api, f"audit_trails/{trail}")
    assert first["data"] == {
        "filters": {"limit": "3"},
        "operation": "audit.events",
        "subject": f"customer-{id}",
    }
    assert (second["data"]["operation"], second["data"]["filters"]) == ("audit.state", {"at": "1"})
    assert first["actor"]["key"].startswith("rk_test_")
    assert third["data"]["subject"] == f"audit_trail-{trail}"
    assert changed(third) == {"/reads": (2, 3)}


async def test_nobody_sees_what_is_of_another_account_or_mode(api: Api) -> None:
    await api.post("/v1/coupons", "id=HALF&percent_off=50&duration=once")
    customer = (await api.customer())["id"]
    other = await api.issue(account="acct_other")
    live = await api.issue(livemode=True)
    for kind, id in (("customers", customer), ("coupons", "HALF")):
        for path in (f"{AUDIT}/{kind}/{id}/events", f"{AUDIT}/{kind}/{id}?at=1"):
            _, _, message = await api.refused("GET", path, key=other, status=404)
            assert message == f"No such {KINDS[kind].noun}: '{id}'"
            _, _, message = await api.refused("GET", path, key=live, status=404)
            assert "a similar object exists in test mode" in message
    trail = f"{ACCOUNT}-test-{datetime.now(UTC):%Y%m%d}"
    await api.refused("GET", f"{AUDIT}/audit_trails/{trail}", key=other, status=404)


async def test_only_secret_keys_and_those_with_the_permission_may_read(api: Api) -> None:
    id = (await api.customer())["id"]
    weak = await api.issue(key_type="restricted", permissions=("customers:write", "events:read"))
    _, _, message = await api.refused("GET", f"{AUDIT}/customers/{id}", key=weak, status=403)
    assert "audit:read" in message
    await api.refused("GET", f"{AUDIT}/customers/{id}", key=await api.issue(key_type="publishable"), status=403)


REFUSED = (
    ("?at=0", "at"),
    ("?at=99", "at"),
    ("?at=99999-01-01T00:00Z", "at"),
    ("?at=2026-02-30", "at"),
    ("?at=0001-01-01T00:00%2B14:00", "at"),
    ("?at=2026-11-01T12:00", "at"),
    ("?at=-1", "at"),
    ("?at=position:-1", "at"),
    ("?at=position:" + "9" * 30, "at"),
    ("?at=%D9%A1", "at"),
    ("?at=", "at"),
    ("?at[x]=1", "at"),
    ("?to=1", "at"),
    ("?at=2&to=1", "to"),
    ("/events?limit=1000000", "limit"),
    ("/events?limit=0", "limit"),
    ("/events?starting_after=999999999999999999", "starting_after"),
    ("/events?starting_after=x", "starting_after"),
    ("/events?ending_before=%01", "ending_before"),
    ("/events?starting_after=1&ending_before=1", "starting_after"),
    ("/events?expand[]=data", "expand"),
)


async def test_what_makes_no_sense_is_refused(api: Api) -> None:
    id = (await api.customer())["id"]
    await api.update(id, "name=x")
    for query, param in REFUSED:
        _, blamed, _ = await api.refused("GET", f"{AUDIT}/customers/{id}{query}")
        assert blamed == param, query


async def test_an_object_that_is_not_there_is_missing(api: Api) -> None:
    for path in ("customers/cus_none", "customers/%00", "customers/cus_%F0%9F", "subscribers/none", "nothing/cus_1"):
        await api.refused("GET", f"{AUDIT}/{path}/events", status=404)
        await api.refused("GET", f"{AUDIT}/{path}", status=404)


async def test_a_customer_is_missing_before_it_was_created(api: Api) -> None:
    id = (await api.customer())["id"]
    code, _, message = await api.refused("GET", f"{AUDIT}/customers/{id}?at=2000-01-01", status=404)
    assert (code, message) == ("resource_missing", f"No such customer: '{id}' at 2000-01-01")


async def test_a_person_whose_key_was_destroyed_stays_sealed(api: Api) -> None:
    id = (await api.customer("name=Jenny&email=jenny@example.com&metadata[a]=1"))["id"]
    await api.post(f"/v1/customers/{id}/sources", "source=tok_visa")
    await api.post(f"/v1/customers/{id}/tax_ids", "type=eu_vat&value=DE123456789")
    assert b"jenny@example.com" in (await api.get(f"{AUDIT}/customers/{id}/events")).body
    await api.core.pool.execute("DELETE FROM keys.subject WHERE stream = $1", f"customer-{id}")
    answer = await api.get(f"{AUDIT}/customers/{id}/events")
    assert (answer.status, b"Jenny" in answer.body, b"jenny@" in answer.body) == (200, False, False)
    assert all(one["sealed"] for one in answer.json["data"] if one["type"] == "customer.created")
    state = (await api.get(f"{AUDIT}/customers/{id}?at=1")).json
    assert (state["sealed"], state["state"]["name"]) == (True, None)


async def test_a_subscriber_is_shown_to_accounts_whose_events_it_has(api: Api) -> None:
    for name, account in (("ledger", ACCOUNT), ("all", "*"), ("theirs", "acct_other")):
        origin = Origin(subscribers.OWNER, subscribers.LIVEMODE, api.core.clock.now(), actor="system")
        added = AddSubscriber(account=account, at=1, mode="test", name=name, types=("customer.*",))

        async def act(unit: UnitOfWork, command: AddSubscriber = added) -> None:
            unit.begin(SUBSCRIBER, command.name)
            unit.do(SUBSCRIBER, command.name, command)

        await api.core.executor.transact(act, origin)
    assert changed((await history(api, "subscribers/ledger"))[0])["/types"] == (None, ["customer.*"])
    assert (await api.get(f"{AUDIT}/subscribers/all")).json["state"]["account"] == "*"
    await api.refused("GET", f"{AUDIT}/subscribers/theirs", status=404)


def test_a_moment_is_a_version_a_position_or_a_time() -> None:
    assert Moment.parse("12") == Moment(version=12)
    assert Moment.parse("position:812") == Moment(position=812)
    noon = datetime(2026, 11, 1, 12, tzinfo=UTC)
    for text in (
        "2026-11-01T12:00Z",
        "2026-11-01T14:00+02:00",
        "2026-11-01T14:00 02:00",
        "2026-11-01T12:00:00.000000Z",
    ):
        assert time_of(text) == noon
    assert Moment.parse("2026-11-01") == Moment(time=datetime(2026, 11, 1, tzinfo=UTC))


async def test_a_command_is_recorded_as_an_operators(api: Api) -> None:
    origin = audit.operator(Scope(ACCOUNT, False), api.core.clock)
    await audit.record_read(api.core.executor, origin, "rollbook history", "customer-cus_1")
    [event] = await history(api, f"audit_trails/{ACCOUNT}-test-{origin.at:%Y%m%d}")
    assert event["actor"]["type"] == "operator"


async def lines(api: Api, query: str = "", **options: Any) -> tuple[list[Any], int]:
    """The lines of the audit log, and the position to go on from."""
    answer = await api.get(f"{AUDIT}/log?{query}", **options)
    assert answer.status == 200, answer.body
    assert answer.headers["Content-Type"] == "application/x-ndjson"
    assert int(answer.headers["Rollbook-Position"]) <= int(answer.headers["Rollbook-Head"])
    return [json.loads(line) for line in answer.body.splitlines()], int(answer.headers["Rollbook-Position"])


async def test_the_log_is_read_in_portions_as_it_was_stored(api: Api) -> None:
    first = (await api.customer("email=a@example.com"))["id"]
    await api.customer()
    await api.update(first, "name=J")
    other = await api.issue(account="acct_other")
    await api.customer(key=other)
    stored = await api.core.log.read(0, 100)
    whole, end = await lines(api)
    mine = [record for record in stored if record.origin.scope == (ACCOUNT, False)]
    assert [cloudevents.parse(json_line(line)) for line in whole] == mine
    assert b"a@example.com" not in b"".join(map(json_line, whole))
    portions, after = [], 0
    while after < end:
        portion, after = await lines(api, f"after={after}&limit=1")
        portions += portion
    assert portions[: len(whole)] == whole
    assert [line["type"] for line in (await lines(api, key=other))[0]] == ["api_key.issued", "customer.created"]


def json_line(shown: Any) -> bytes:
    return json.dumps(shown, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"


async def test_the_log_is_filtered(api: Api) -> None:
    first = (await api.customer("email=a@example.com"))["id"]
    before = datetime.now(UTC)
    second = (await api.customer())["id"]
    key = await api.issue()
    await api.update(first, "name=J", key=key)
    of_first, end = await lines(api, f"customer={first}")
    assert [(line["subject"], line["streamversion"]) for line in of_first] == [
        (f"customer-{first}", "1"),
        (f"customer-{first}", "2"),
    ]
    assert end >= int(of_first[-1]["position"])
    assert [line["streamversion"] for line in (await lines(api, f"customer={first}&after={of_first[0]['id']}"))[0]] == [
        "2"
    ]
    created, _ = await lines(api, "types=customer.created")
    assert [line["subject"] for line in created] == [f"customer-{first}", f"customer-{second}"]
    assert (await lines(api, "types=customer.c*,coupon.*"))[0] == created
    assert (await lines(api, "types[]=customer.created&limit=1"))[0] == created[:1]
    [update] = (await lines(api, f"actor={of_first[1]['actor']}"))[0]
    assert update["type"] == "customer.updated"
    since = before.isoformat().replace("+00:00", "Z")
    assert [line["subject"] for line in (await lines(api, f"types=customer.created&from={since}"))[0]] == [
        f"customer-{second}"
    ]
    assert [line["subject"] for line in (await lines(api, f"types=customer.created&to={since}"))[0]] == [
        f"customer-{first}"
    ]


async def test_a_reader_that_follows_the_log_does_not_feed_itself(api: Api) -> None:
    await api.customer()
    _, end = await lines(api)
    own, end = await lines(api, f"after={end}")
    assert [line["type"] for line in own] == ["audit.read"]
    assert await lines(api, f"after={end}") == ([], end)


async def test_what_makes_no_sense_of_the_log_is_refused(api: Api) -> None:
    other = (await api.customer(key=await api.issue(account="acct_other")))["id"]
    for query, param in (
        ("after=-1", "after"),
        ("after=999999999", "after"),
        ("limit=1001", "limit"),
        ("types=nothing.*", "types"),
        ("types=", "types"),
        ("types=%01", "types"),
        ("customer=cus_none", "customer"),
        (f"customer={other}", "customer"),
        ("from=99999-01-01", "from"),
        ("to=yesterday", "to"),
        ("actor=", "actor"),
        ("kind=customers", "kind"),
    ):
        _, blamed, _ = await api.refused("GET", f"{AUDIT}/log?{query}")
        assert blamed == param, query
    weak = await api.issue(key_type="restricted", permissions=("events:read",))
    await api.refused("GET", f"{AUDIT}/log", key=weak, status=403)
