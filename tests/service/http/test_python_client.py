"""Stripe's official client for Python, unchanged but for the address, against a live server.

The client is synchronous, so its part of a test runs in a thread of its own.
"""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import stripe

from tests.service.http.python_client import Script, run_script
from tests.service.serving import Api


@pytest.fixture
def customers_of_the_module(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    """Point `stripe.Customer` and its like at this server."""
    monkeypatch.setattr(stripe, "api_key", api.key)
    monkeypatch.setattr(stripe, "api_base", api.url)
    monkeypatch.setattr(stripe, "default_http_client", stripe.UrllibClient())


async def test_a_customer_is_created_read_changed_listed_and_deleted(api: Api) -> None:
    def script(client: Any) -> None:
        customers = client.v1.customers
        made = customers.create(
            {
                "name": "Ada",
                "email": "ada@example.com",
                "address": {"city": "London", "line2": ""},
                "shipping": {"name": "Desk", "address": {"country": "GB"}},
                "preferred_locales": ["en", "de"],
                "invoice_settings": {"custom_fields": [{"name": "VAT", "value": "7"}]},
                "metadata": {"order": "66", "b": "true"},
                "tax_exempt": "exempt",
                "next_invoice_sequence": 7,
            }
        )
        assert type(made).__name__ == "Customer"
        assert made.last_response.request_id.startswith("req_")
        assert made.last_response.idempotency_key
        assert (made.address.city, made.address.line2, made.address.country) == ("London", "", None)
        assert made.preferred_locales == ["en", "de"]
        assert made.invoice_settings.custom_fields[0].name == "VAT"
        assert made.metadata.to_dict() == {"b": "true", "order": "66"}
        assert (made.next_invoice_sequence, made.livemode, made.balance) == (7, False, 0)
        assert customers.retrieve(made.id) == made
        changed = customers.update(made.id, {"name": "", "metadata": {"b": ""}, "address": ""})
        assert (changed.name, changed.metadata.to_dict(), changed.address) == (None, {"order": "66"}, None)
        assert [one.id for one in customers.list({"email": "ada@example.com"}).data] == [made.id]
        assert customers.list({"created": {"gt": made.created}}).data == []
        gone = customers.delete(made.id)
        assert (gone.id, gone.deleted) == (made.id, True)
        assert customers.retrieve(made.id).deleted

    await run_script(api, script)


async def test_pages_turn_by_themselves_in_both_directions(api: Api) -> None:
    def script(client: Any) -> None:
        made = [client.v1.customers.create({"name": f"c{n}"}).id for n in range(7)]
        page = client.v1.customers.list({"limit": 3})
        assert page.has_more
        assert [one.id for one in page.auto_paging_iter()] == made[::-1]
        back = client.v1.customers.list({"limit": 3, "ending_before": made[0]})
        assert [one.id for one in back.data] == made[3:0:-1]
        assert [one.id for one in back.auto_paging_iter()] == made[1:], "the client walks such a page backwards"
        counted = client.v1.customers.list({"limit": 1, "expand": ["total_count"]})
        assert counted["total_count"] == 7

    await run_script(api, script)


async def test_what_is_asked_for_is_expanded(api: Api) -> None:
    def script(client: Any) -> None:
        made = client.v1.customers.create({"expand": ["sources", "tax_ids"]})
        assert (made.sources.data, made.tax_ids.data) == ([], [])
        listed = client.v1.customers.list({"expand": ["data.subscriptions"]})
        assert listed.data[0].subscriptions.data == []
        assert "sources" not in client.v1.customers.retrieve(made.id)

    await run_script(api, script)


@pytest.mark.parametrize(
    ("wrong", "error", "status", "code", "param"),
    [
        (lambda c: c.v1.customers.retrieve("cus_x"), stripe.InvalidRequestError, 404, "resource_missing", "id"),
        (lambda c: c.v1.customers.update("cus_x", {"name": "x"}), stripe.InvalidRequestError, 404,
         "resource_missing", "id"),
        (lambda c: c.v1.customers.delete("cus_x"), stripe.InvalidRequestError, 404, "resource_missing", "id"),
        (lambda c: c.v1.customers.create({"email": "x"}), stripe.InvalidRequestError, 400, "email_invalid", "email"),
        (lambda c: c.v1.customers.create({"shipping": {"name": "x"}}), stripe.InvalidRequestError, 400,
         "parameter_missing", "shipping[address]"),
        (lambda c: c.v1.customers.create({"foo": 1}), stripe.InvalidRequestError, 400, "parameter_unknown", "foo"),
        (lambda c: c.v1.customers.list({"limit": 101}), stripe.InvalidRequestError, 400, None, "limit"),
        (lambda c: c.v1.customers.list({"starting_after": "cus_x"}), stripe.InvalidRequestError, 400,
         "resource_missing", "starting_after"),
        (lambda c: c.v1.customers.list({"expand": ["x"]}), stripe.InvalidRequestError, 400, None, "expand"),
        (lambda c: c.v1.products.list(), stripe.InvalidRequestError, 404, None, None),
        (lambda c: c.v1.customers.list(options={"api_key": "sk_test_x"}), stripe.AuthenticationError, 401, None, None),
        (lambda c: c.v1.customers.list(options={"stripe_account": "acct_x"}), stripe.PermissionError, 403,
         "account_invalid", None),
        (lambda c: [c.v1.customers.create({"name": name}, {"idempotency_key": "k"}) for name in "ab"],
         stripe.IdempotencyError, 400, None, None),
    ],
)  # fmt: skip
async def test_refusals_are_the_clients_own_errors(
    api: Api, wrong: Script, error: type[stripe.StripeError], status: int, code: str | None, param: str | None
) -> None:
    with pytest.raises(error) as raised:
        await run_script(api, wrong)
    assert type(raised.value) is error
    refusal = raised.value.error
    assert refusal is not None
    assert (raised.value.http_status, refusal.code, refusal.param) == (status, code, param)
    assert refusal.request_log_url is None, "there is no dashboard"
    assert raised.value.request_id is not None
    assert raised.value.request_id.startswith("req_")


async def test_a_publishable_key_is_a_matter_of_permission(api: Api) -> None:
    key = await api.issue(key_type="publishable")
    with pytest.raises(stripe.PermissionError, match="publishable"):
        await run_script(api, lambda client: client.v1.customers.list(), key=key)


async def test_a_retry_by_hand_under_one_key_is_answered_the_same(api: Api) -> None:
    def script(client: Any) -> None:
        first = client.v1.customers.create({"name": "x"}, {"idempotency_key": "k"})
        again = client.v1.customers.create({"name": "x"}, {"idempotency_key": "k"})
        assert again == first
        assert again.last_response.headers["idempotent-replayed"] == "true"

    await run_script(api, script)


@pytest.mark.usefixtures("customers_of_the_module")
@pytest.mark.filterwarnings("ignore:The `save` method is deprecated:DeprecationWarning")
async def test_the_style_of_the_module_works_too_with_saving_and_deleting_of_objects() -> None:
    def script() -> None:
        made: Any = stripe.Customer.create(name="Ada", metadata={"a": "1", "b": "2"}, description="x")
        made.description = "y"
        made.metadata = {"b": "2", "c": "3"}
        made.save()
        assert (made.description, made.metadata.to_dict()) == ("y", {"b": "2", "c": "3"})
        fresh: Any = stripe.Customer.retrieve(made.id)
        assert (fresh.name, fresh.description, fresh.metadata.to_dict()) == ("Ada", "y", {"b": "2", "c": "3"})
        stripe.Customer.modify(made.id, metadata="")
        assert fresh.refresh().metadata.to_dict() == {}
        assert [one.id for one in stripe.Customer.list(limit=1).auto_paging_iter()] == [made.id]
        made.delete()
        assert made.deleted
        with pytest.raises(stripe.InvalidRequestError, match="No such customer"):
            stripe.Customer.modify(made.id, name="x")

    await asyncio.to_thread(script)


async def test_webhook_endpoints_are_registered_changed_listed_and_deleted(api: Api) -> None:
    def script(client: Any) -> None:
        endpoints = client.v1.webhook_endpoints
        made = endpoints.create({"url": "https://example.com/x", "enabled_events": ["customer.created"]})
        assert made.secret.startswith("whsec_")
        shown = endpoints.retrieve(made.id)
        assert "secret" not in shown
        assert (shown.url, shown.enabled_events, shown.status) == (made.url, ["customer.created"], "enabled")
        changed = endpoints.update(made.id, {"disabled": True, "enabled_events": ["*"], "metadata": {"a": "1"}})
        assert (changed.status, changed.enabled_events, changed.metadata.to_dict()) == ("disabled", ["*"], {"a": "1"})
        assert [one.id for one in endpoints.list({"limit": 1}).auto_paging_iter()] == [made.id]
        assert endpoints.delete(made.id).deleted
        with pytest.raises(stripe.InvalidRequestError, match="No such webhook endpoint"):
            endpoints.retrieve(made.id)

    await run_script(api, script)


async def test_events_are_listed_and_read_with_what_caused_them(api: Api) -> None:
    def script(client: Any) -> None:
        made = client.v1.customers.create({"name": "Ada"})
        client.v1.customers.update(made.id, {"name": "Bea"}, {"idempotency_key": "k"})
        client.v1.customers.delete(made.id)
        events = list(client.v1.events.list({"limit": 1, "type": "customer.*"}).auto_paging_iter())
        assert [event.type for event in events] == ["customer.deleted", "customer.updated", "customer.created"]
        assert events[1].data.previous_attributes.to_dict() == {"name": "Ada"}
        assert events[1].request.idempotency_key == "k"
        assert events[2].request.id == made.last_response.request_id
        assert events[2].data.object == made
        assert client.v1.events.retrieve(events[0].id) == events[0]
        assert client.v1.events.list({"types": ["customer.deleted"]}).data == events[:1]

    await run_script(api, script)


async def test_fifty_clients_with_one_idempotency_key_get_one_answer(api: Api) -> None:
    def create() -> Any:
        client = stripe.StripeClient(api.key, base_addresses={"api": api.url}, max_network_retries=2)
        return client.v1.customers.create({"name": "Ada"}, {"idempotency_key": "one"})

    loop = asyncio.get_running_loop()
    with ThreadPoolExecutor(50) as threads:
        made = await asyncio.gather(*(loop.run_in_executor(threads, create) for _ in range(50)))
    answers = [customer.last_response for customer in made]
    assert len({answer.body for answer in answers}) == 1
    replayed = [{name.lower() for name in answer.headers} >= {"idempotent-replayed"} for answer in answers]
    assert replayed.count(False) == 1
    assert len((await api.get("/v1/customers")).json["data"]) == 1
