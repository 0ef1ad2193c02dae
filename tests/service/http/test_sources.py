"""Customers' cards and bank accounts over the wire: attached, shown, changed, verified, detached, published."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import pytest
import stripe

from events.customer.source import last_day
from service.jobs import scheduler
from tests.projections.rebuilding import rebuild_customers
from tests.service.http.objects import SOON, account, card, create_token, stored_rows
from tests.service.http.python_client import raw_request, run_script
from tests.service.http.sources import ACCOUNT_KEYS, CARD_KEYS, PATH, added, default, sources
from tests.service.http.subscriptions import past_due
from tests.service.serving import Answer, Api, Serve
from tests.waiting import until


@pytest.fixture
async def kept(api: Api) -> AsyncIterator[Api]:
    """One application, and beside it whoever does what is due."""
    stop = asyncio.Event()
    keeping = asyncio.create_task(scheduler.run(api.core, stop))
    yield api
    stop.set()
    await keeping


async def test_a_customer_is_created_with_a_card(api: Api) -> None:
    made = await create_token(api, card(name="Jenny", address_line1="Langstrasse 1"))
    customer = await api.customer(f"source={made['id']}")
    id = customer["default_source"]
    shown = (await api.get(f"{PATH}/{customer['id']}/sources/{id}")).json
    assert list(shown) == CARD_KEYS
    assert shown == {
        **{key: value for key, value in made["card"].items() if key != "networks"},
        "id": id,
        "customer": customer["id"],
        "address_line1_check": "pass",
        "cvc_check": "pass",
    }
    assert [event["type"] for event in await api.events()] == ["customer.created", "customer.source.created"]
    created, source = await api.events()
    assert created["data"]["object"] == customer
    assert source["data"] == {"object": shown}


@pytest.mark.parametrize("collection", ["sources", "cards", "bank_accounts"])
async def test_the_first_is_the_default_and_later_ones_are_not(api: Api, collection: str) -> None:
    id = (await api.customer())["id"]
    first = await added(api, id, "source=tok_visa", collection)
    second = await added(api, id, "source=btok_us_verified&metadata[tier]=gold", collection)
    assert list(second) == ACCOUNT_KEYS
    assert (second["status"], second["metadata"], second["customer"]) == ("verified", {"tier": "gold"}, id)
    assert second["id"].startswith("ba_")
    assert await default(api, id) == first["id"]
    updated = await api.events("customer.updated")
    assert [event["data"]["previous_attributes"] for event in updated] == [{"default_source": None}]
    assert [event["type"] for event in await api.events("customer.*")] == [
        "customer.created", "customer.updated", "customer.source.created", "customer.source.created",
    ]  # fmt: skip


async def test_all_forms_of_a_source_will_do(api: Api) -> None:
    id = (await api.customer())["id"]
    made = (await create_token(api))["id"]
    bank = (await create_token(api, account()))["id"]
    for collection in ("sources", "cards", "bank_accounts"):
        for body, object in (
            (card(prefix="source", object="card", name="Jenny"), "card"),
            (account(prefix="source", object="bank_account"), "bank_account"),
            (card(), "card"),
            (card(object="card"), "card"),
            (account(), "bank_account"),
            ("card=tok_visa", "card"),
            ("bank_account=btok_us_verified", "bank_account"),
        ):
            assert (await added(api, id, body, collection))["object"] == object
    assert (await added(api, id, f"card={made}"))["last4"] == "4242"
    assert (await added(api, id, f"bank_account={bank}"))["status"] == "new"
    merged = await added(api, id, f"{card(**{'metadata][a': '1'})}&metadata[b]=2&validate=false")
    assert merged["metadata"] == {"a": "1", "b": "2"}


async def test_an_update_makes_it_the_default_and_the_one_before_goes(api: Api) -> None:
    customer = await api.customer("source=tok_visa")
    id, first = customer["id"], customer["default_source"]
    other = (await added(api, id))["id"]
    before: str | None = first
    for body in ("source=tok_mastercard", card(), account(), card(prefix="source", object="card")):
        before = await default(api, id)
        after = (await api.update(id, body))["default_source"]
        assert await sources(api, id) == [after, other]
        assert before not in (after, other)
    assert (await api.get(f"{PATH}/{id}/sources/{first}")).status == 404
    events = await api.events("customer.*")
    assert [event["type"] for event in events][-3:] == [
        "customer.updated", "customer.source.created", "customer.source.deleted",
    ]  # fmt: skip
    assert events[-3]["data"]["previous_attributes"] == {"default_source": before}


async def test_a_new_source_asks_for_another_try_of_what_is_past_due_and_another_default_does_not(api: Api) -> None:
    id = (await api.customer("source=tok_visa"))["id"]
    await past_due(api, id, "sub_1")
    other = (await added(api, id))["id"]
    await api.update(id, f"default_source={other}")
    assert await api.events("invoice.payment_retry_requested") == []
    await api.update(id, "source=tok_mastercard")
    [event] = await api.events("invoice.payment_retry_requested")
    assert event["data"]["object"]["subscription"] == "sub_1"


async def test_another_of_the_customers_own_is_made_the_default(api: Api) -> None:
    id = (await api.customer("source=tok_visa"))["id"]
    other = (await added(api, id))["id"]
    assert (await api.update(id, f"default_source={other}"))["default_source"] == other
    before = await stored_rows(api)
    assert (await api.update(id, f"default_source={other}"))["default_source"] == other
    assert await stored_rows(api) == before, "an update that changes nothing publishes nothing"
    anothers = (await api.customer("source=tok_visa"))["default_source"]
    for body, code in (
        (f"default_source={anothers}", "resource_missing"),
        ("default_source=", "parameter_invalid_empty"),
    ):
        assert (await api.refused("POST", f"{PATH}/{id}", body))[:2] == (code, "default_source")


@pytest.mark.parametrize("collection", ["sources", "cards"])
async def test_when_the_default_is_removed_the_one_added_last_becomes_the_default(api: Api, collection: str) -> None:
    customer = await api.customer("source=tok_visa")
    id, first = customer["id"], customer["default_source"]
    second, third = [(await added(api, id))["id"] for _ in range(2)]
    answer = await api.delete(f"{PATH}/{id}/{collection}/{first}")
    assert (answer.status, answer.json) == (200, {"id": first, "object": "card", "deleted": True})
    assert await default(api, id) == third
    await api.delete(f"{PATH}/{id}/{collection}/{second}")
    assert await default(api, id) == third
    await api.delete(f"{PATH}/{id}/{collection}/{third}")
    assert (await default(api, id), await sources(api, id)) == (None, [])
    assert (await api.delete(f"{PATH}/{id}/{collection}/{third}")).status == 404
    deleted = await api.events("customer.source.deleted")
    assert [event["data"]["object"]["id"] for event in deleted] == [first, second, third]
    assert len(await api.events("customer.updated")) == 2


async def test_each_list_shows_what_is_of_its_type_newest_first(api: Api) -> None:
    id = (await api.customer())["id"]
    bodies = ("source=tok_visa", "source=btok_us", "source=tok_amex", "source=btok_us_verified")
    made = [(await added(api, id, body))["id"] for body in bodies][::-1]
    banks, visas = made[::2], made[1::2]
    assert await sources(api, id) == made
    assert await sources(api, id, "cards") == await sources(api, id, query="?object=card") == visas
    assert await sources(api, id, "bank_accounts") == await sources(api, id, query="?object=bank_account") == banks
    assert await sources(api, id, query="?object=source") == []
    page = (await api.get(f"{PATH}/{id}/cards?limit=1")).json
    assert (page["url"], page["has_more"]) == (f"{PATH}/{id}/cards", True)
    assert await sources(api, id, query=f"?starting_after={made[1]}") == made[2:]
    assert await sources(api, id, query=f"?ending_before={made[1]}") == made[:1]
    assert (await api.refused("GET", f"{PATH}/{id}/sources?object=x"))[1] == "object"
    expanded = (await api.get(f"{PATH}/{id}?expand[]=sources&expand[]=default_source")).json
    assert [one["id"] for one in expanded["sources"]["data"]] == made
    assert expanded["sources"]["url"] == f"{PATH}/{id}/sources"
    assert expanded["default_source"]["last4"] == "4242"
    own = (await api.get(f"{PATH}/{id}/sources/{made[0]}?expand[]=customer")).json["customer"]
    assert own["id"] == id


async def test_what_is_known_of_a_card_is_changed(api: Api) -> None:
    id = (await api.customer())["id"]
    source = (await added(api, id, card(name="Jenny", address_city="Bern", **{"metadata][a": "1"})))["id"]
    path = f"{PATH}/{id}/sources/{source}"
    changed = (
        await api.post(path, f"name=Ada&exp_month=1&exp_year={SOON + 3}&address_line1=Gasse 1&metadata[b]=2")
    ).json
    assert {key: changed[key] for key in ("name", "exp_month", "exp_year", "address_line1", "address_city")} == {
        "name": "Ada",
        "exp_month": 1,
        "exp_year": SOON + 3,
        "address_line1": "Gasse 1",
        "address_city": "Bern",
    }
    assert changed["metadata"] == {"a": "1", "b": "2"}
    assert (await api.get(path)).json == changed
    before = await stored_rows(api)
    assert (await api.post(path, "name=Ada")).json == changed
    assert await stored_rows(api) == before
    [event] = await api.events("customer.source.updated")
    assert event["data"]["previous_attributes"] == {
        "address_line1": None, "exp_month": 12, "exp_year": SOON, "metadata": {"b": None}, "name": "Jenny",
    }  # fmt: skip
    assert (await api.post(path, "metadata=&name=&address_city=")).json["metadata"] == {}
    assert not [one for one in await api.events("customer.updated") if "name" in one["data"]["previous_attributes"]]


async def test_they_are_deleted_with_the_customer_and_published_before_it(api: Api) -> None:
    customer = await api.customer("source=tok_visa")
    await added(api, customer["id"], "source=btok_us")
    await api.delete(f"{PATH}/{customer['id']}")
    events = (await api.events("customer.*"))[-3:]
    assert [event["type"] for event in events] == [
        "customer.source.deleted", "customer.source.deleted", "customer.deleted",
    ]  # fmt: skip
    assert events[-1]["data"]["object"]["default_source"] == customer["default_source"], "as it last was"
    path = f"{PATH}/{customer['id']}/sources"
    assert (await api.get(f"{path}/{customer['default_source']}")).status == 404
    assert await api.core.pool.fetchval("SELECT count(*) FROM projections.due") == 0


async def test_that_a_card_expires_is_published_once_on_the_last_day_of_its_month(kept: Api) -> None:
    clock = (await kept.post("/v1/test_helpers/test_clocks", f"frozen_time={int(datetime.now(UTC).timestamp())}")).json
    customer = await kept.customer(f"test_clock={clock['id']}")
    id = customer["id"]
    source = (await added(kept, id, card(exp_month=3)))["id"]
    await added(kept, id, card(exp_month=3, exp_year=SOON + 5))

    async def advance(time: int) -> None:
        own = f"/v1/test_helpers/test_clocks/{clock['id']}"
        assert (await kept.post(f"{own}/advance", f"frozen_time={time}")).status == 200

        async def arrived() -> bool:
            shown = (await kept.get(own)).json
            return bool(shown["status"] == "ready" and shown["frozen_time"] == time)

        await until(arrived)

    day = last_day(SOON, 3)
    await advance(day - 1)
    assert await kept.events("customer.source.expiring") == []
    await advance(day)
    [event] = await kept.events("customer.source.expiring")
    assert event["data"] == {"object": (await kept.get(f"{PATH}/{id}/sources/{source}")).json}
    assert event["request"] is None
    await advance(day + 86_400 * 40)
    assert len(await kept.events("customer.source.expiring")) == 1


async def test_what_is_due_follows_the_card(api: Api) -> None:
    async def due() -> list[tuple[str, int]]:
        rows = await api.core.pool.fetch("SELECT subject, due_at FROM projections.due ORDER BY due_at")
        return [(row["subject"], row["due_at"]) for row in rows]

    id = (await api.customer())["id"]
    source = (await added(api, id, card()))["id"]
    await added(api, id, "source=btok_us")
    assert await due() == [(source, last_day(SOON, 12))]
    await api.post(f"{PATH}/{id}/sources/{source}", f"exp_month=2&exp_year={SOON + 1}")
    assert await due() == [(source, last_day(SOON + 1, 2))]
    await api.delete(f"{PATH}/{id}/sources/{source}")
    assert await due() == []


async def test_who_asks_again_under_one_key_has_one_card(api: Api) -> None:
    id = (await api.customer())["id"]
    path = f"{PATH}/{id}/sources"
    first, again = [await api.post(path, "source=tok_visa", Idempotency_Key="k") for _ in range(2)]
    assert (again.body, again.headers["Idempotent-Replayed"]) == (first.body, "true")
    assert len(await sources(api, id)) == 1
    declined = [await api.post(path, "source=tok_chargeDeclined", Idempotency_Key="d") for _ in range(2)]
    assert [answer.status for answer in declined] == [402, 402]
    assert declined[0].body == declined[1].body


async def test_many_changes_at_once_over_two_processes_leave_a_default_that_is_there(serve: Serve) -> None:
    one, other = await serve(), await serve()
    id = (await one.customer("source=tok_visa"))["id"]

    async def change(number: int) -> Answer:
        api = (one, other)[number % 2]
        if number % 3 == 0:
            return await api.post(f"{PATH}/{id}", "source=tok_mastercard")
        if number % 3 == 1:
            return await api.post(f"{PATH}/{id}/sources", "source=tok_visa")
        listed = await sources(api, id)
        return await api.delete(f"{PATH}/{id}/sources/{listed[0]}") if listed else await api.get(f"{PATH}/{id}")

    answers = await asyncio.gather(*(change(number) for number in range(24)))
    assert {answer.status for answer in answers} <= {200, 404}
    left = await sources(one, id)
    assert await default(other, id) in left


async def test_the_log_alone_leads_to_the_same_rows(api: Api) -> None:
    customer = await api.customer("source=tok_visa")
    id = customer["id"]
    bank = (await added(api, id, account()))["id"]
    await api.post(f"{PATH}/{id}/sources/{bank}/verify", "amounts[0]=32&amounts[1]=45")
    await api.post(f"{PATH}/{id}/sources/{customer['default_source']}", "name=Ada&metadata[a]=1")
    await api.update(id, "source=tok_mastercard")
    await added(api, id)
    query = "SELECT * FROM projections.{} WHERE id <> '' ORDER BY id"
    before = [await api.core.pool.fetch(query.format(table)) for table in ("customer", "resource")]
    core = api.core
    await rebuild_customers(core.dsn, core.folds)
    assert [await api.core.pool.fetch(query.format(table)) for table in ("customer", "resource")] == before


async def test_the_client_for_python_has_them_live_their_lives(api: Api) -> None:
    def script(client: Any) -> None:
        customers = client.v1.customers
        customer = customers.create({"source": "tok_visa", "expand": ["default_source"]})
        assert type(customer.default_source).__name__ == "Card"
        own = customers.payment_sources
        bank = own.create(customer.id, {"source": "btok_us", "metadata": {"a": "1"}})
        assert type(bank).__name__ == "BankAccount"
        assert own.retrieve(customer.id, bank.id) == bank
        assert own.verify(customer.id, bank.id, {"amounts": [32, 45]}).status == "verified"
        card = own.update(customer.id, customer.default_source.id, {"name": "Ada", "exp_year": str(SOON + 2)})
        assert (card.name, card.exp_year) == ("Ada", SOON + 2)
        assert [one.id for one in own.list(customer.id).auto_paging_iter()] == [bank.id, card.id]
        assert [one.id for one in own.list(customer.id, {"object": "card"}).data] == [card.id]
        assert customers.update(customer.id, {"default_source": bank.id}).default_source == bank.id
        changed = customers.update(customer.id, {"source": "tok_mastercard"})
        assert {one.id for one in own.list(customer.id).data} == {changed.default_source, card.id}
        gone = own.delete(customer.id, changed.default_source)
        assert (gone.id, gone.deleted, gone.object) == (changed.default_source, True, "card")
        assert customers.retrieve(customer.id).default_source == card.id

    await run_script(api, script)


@pytest.mark.parametrize(
    ("collection", "tokens"),
    [("bank_accounts", ("btok_us", "btok_us_verified")), ("cards", ("tok_visa", "tok_mastercard"))],
)
async def test_the_client_for_python_reaches_them_by_their_older_names(
    api: Api, collection: str, tokens: tuple[str, str]
) -> None:
    def script(client: Any) -> None:
        url = f"/v1/customers/{client.v1.customers.create().id}/{collection}"
        one, two = (raw_request(client, "post", url, source=token) for token in tokens)
        assert type(one).__name__ == {"bank_accounts": "BankAccount", "cards": "Card"}[collection]
        assert raw_request(client, "get", f"{url}/{one.id}") == one
        assert raw_request(client, "post", f"{url}/{one.id}", metadata={"a": "1"}).metadata.to_dict() == {"a": "1"}
        if collection == "bank_accounts":
            assert raw_request(client, "post", f"{url}/{one.id}/verify", amounts=[32, 45]).status == "verified"
        page = raw_request(client, "get", url, limit=1)
        assert [each.id for each in page.auto_paging_iter()] == [two.id, one.id]
        back = raw_request(client, "get", url, limit=1, ending_before=one.id)
        assert [each.id for each in back.auto_paging_iter()] == [two.id]
        assert raw_request(client, "delete", f"{url}/{one.id}").deleted
        with pytest.raises(stripe.InvalidRequestError) as refused:
            raw_request(client, "get", f"{url}/{one.id}")
        assert (refused.value.http_status, refused.value.code, refused.value.param) == (404, "resource_missing", "id")

    await run_script(api, script)
