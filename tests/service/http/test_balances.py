"""Balances and cash over the wire: transactions, settings, transfers; what the customer shows of them."""

import asyncio
from typing import Any

import asyncpg
import pytest
import stripe

from tests.projections.rebuilding import rebuild_customers
from tests.service.http import node_client
from tests.service.http.python_client import run_script
from tests.service.serving import Api, Serve

MISSING = "resource_missing"
KEYS = [
    "id", "object", "amount", "checkout_session", "created", "credit_note", "currency", "customer", "customer_account",
    "description", "ending_balance", "invoice", "livemode", "metadata", "type",
]  # fmt: skip
CASH = [
    "id", "object", "created", "currency", "customer", "customer_account", "ending_balance", "funded", "livemode",
    "net_amount", "type",
]  # fmt: skip


async def adjusted(api: Api, customer: str, body: str, **headers: Any) -> Any:
    answer = await api.post(f"/v1/customers/{customer}/balance_transactions", body, **headers)
    assert answer.status == 200, answer.body
    return answer.json


async def funded(api: Api, customer: str, body: str) -> Any:
    answer = await api.post(f"/v1/test_helpers/customers/{customer}/fund_cash_balance", body)
    assert answer.status == 200, answer.body
    return answer.json


async def types(api: Api) -> list[str]:
    """The types of all published events, in order."""
    return [event["type"] for event in reversed((await api.get("/v1/events?limit=100")).json["data"])]


async def test_a_transaction_is_shown_with_exactly_its_keys(api: Api) -> None:
    made = await api.customer()
    shown = await adjusted(api, made["id"], "amount=-500&currency=EUR&description=Gift&metadata[a]=b")
    assert list(shown) == KEYS
    assert (shown["id"][:6], shown["object"], shown["type"]) == ("cbtxn_", "customer_balance_transaction", "adjustment")
    assert (shown["amount"], shown["currency"], shown["ending_balance"]) == (-500, "eur", -500)
    assert (shown["customer"], shown["description"], shown["metadata"]) == (made["id"], "Gift", {"a": "b"})
    path = f"/v1/customers/{made['id']}/balance_transactions"
    assert (await api.get(f"{path}/{shown['id']}")).json == shown
    assert (await api.get(path)).json == {"object": "list", "data": [shown], "has_more": False, "url": path}
    whole = (await api.get(f"{path}/{shown['id']}?expand[]=customer")).json
    assert whole["customer"]["id"] == made["id"]


async def test_the_balance_follows_the_ledger_of_the_customers_own_currency(api: Api) -> None:
    id = (await api.customer())["id"]
    await adjusted(api, id, "amount=-500&currency=eur")
    await adjusted(api, id, "amount=70&currency=usd")
    shown = (await api.get(f"/v1/customers/{id}?expand[]=invoice_credit_balance")).json
    assert (shown["balance"], shown["currency"], shown["invoice_credit_balance"]) == (
        -500,
        "eur",
        {"eur": 500, "usd": -70},
    )
    updates = (await api.get("/v1/events?type=customer.updated")).json["data"]
    assert [event["data"]["previous_attributes"] for event in updates] == [{"balance": 0, "currency": None}]


async def test_a_customer_may_be_created_with_a_balance_and_brought_to_another(api: Api) -> None:
    made = await api.customer("balance=-300&expand[]=invoice_credit_balance")
    assert (made["balance"], made["currency"], made["invoice_credit_balance"]) == (-300, "usd", {"usd": 300})
    assert (await api.update(made["id"], "balance=100"))["balance"] == 100
    assert (await api.update(made["id"], "balance=100"))["balance"] == 100
    listed = (await api.get(f"/v1/customers/{made['id']}/balance_transactions")).json["data"]
    shown = [(one["amount"], one["ending_balance"], one["type"]) for one in listed]
    assert shown == [(400, 100, "adjustment"), (-300, -300, "initial")]
    assert await types(api) == ["customer.created", "customer.updated"]


async def test_of_a_transaction_only_what_is_said_of_it_changes(api: Api) -> None:
    id = (await api.customer())["id"]
    made = await adjusted(api, id, "amount=5&currency=usd&description=old&metadata[a]=1")
    path = f"/v1/customers/{id}/balance_transactions/{made['id']}"
    changed = (await api.post(path, "description=&metadata[b]=2&expand[]=customer")).json
    assert (changed["description"], changed["metadata"], changed["customer"]["id"]) == (None, {"a": "1", "b": "2"}, id)
    assert await api.refused("POST", path, "amount=6") == (
        "parameter_unknown",
        "amount",
        "Received unknown parameter: amount",
    )
    assert (await api.delete(path)).status == 404


@pytest.mark.parametrize(
    ("body", "code", "param"),
    [
        ("currency=usd", "parameter_missing", "amount"),
        ("amount=1", "parameter_missing", "currency"),
        ("amount=0&currency=usd", None, "amount"),
        ("amount=1.5&currency=usd", "parameter_invalid_integer", "amount"),
        ("amount=1000000000000&currency=usd", None, "amount"),
        ("amount=1&currency=us", None, "currency"),
        ("amount=1&currency=usx", None, "currency"),
        ("amount=1&currency=", "parameter_invalid_empty", "currency"),
        ("amount=1&currency=usd&description=" + "x" * 351, None, "description"),
        ("amount=1&currency=usd&type=adjustment", "parameter_unknown", "type"),
        ("amount=1&currency=usd&expand[]=invoice", None, "expand"),
    ],
)
async def test_a_transaction_that_cannot_be_is_refused(api: Api, body: str, code: str | None, param: str) -> None:
    path = f"/v1/customers/{(await api.customer())['id']}/balance_transactions"
    assert (await api.refused("POST", path, body))[:2] == (code, param)
    assert (await api.get(path)).json["data"] == []


async def test_what_is_not_there_is_missing(api: Api) -> None:
    one, other = (await api.customer())["id"], (await api.customer())["id"]
    made = await adjusted(api, one, "amount=5&currency=usd")
    for method, path in (
        ("GET", f"/v1/customers/{other}/balance_transactions/{made['id']}"),
        ("POST", f"/v1/customers/{other}/balance_transactions/{made['id']}"),
        ("GET", "/v1/customers/cus_none/balance_transactions"),
        ("POST", "/v1/customers/cus_none/balance_transactions"),
        ("GET", "/v1/customers/cus_none/cash_balance"),
        ("GET", f"/v1/customers/{one}/cash_balance_transactions/ccsbtxn_1"),
    ):
        body = "amount=1&currency=usd" if path.endswith("cus_none/balance_transactions") and method == "POST" else ""
        assert (await api.refused(method, path, body, status=404))[:2] == (MISSING, "id"), path
    await api.delete(f"/v1/customers/{one}")
    for name in ("balance_transactions", f"balance_transactions/{made['id']}", "cash_balance"):
        assert (await api.refused("GET", f"/v1/customers/{one}/{name}", status=404))[0] == MISSING


async def test_a_hundred_transactions_at_once_over_two_processes_leave_a_chain_without_a_gap(serve: Serve) -> None:
    apis = [await serve(), await serve()]
    id = (await apis[0].customer())["id"]
    answers = await asyncio.gather(*(adjusted(apis[n % 2], id, f"amount={n}&currency=usd") for n in range(1, 101)))
    assert len({answer["id"] for answer in answers}) == 100
    chain: list[Any] = []
    cursor = ""
    while True:
        page = (await apis[0].get(f"/v1/customers/{id}/balance_transactions?limit=100{cursor}")).json
        chain += page["data"]
        if not page["has_more"]:
            break
        cursor = f"&starting_after={chain[-1]['id']}"
    chain.reverse()
    before = 0
    for one in chain:
        assert one["ending_balance"] == before + one["amount"]
        before = one["ending_balance"]
    assert len(chain) == 100
    assert (await apis[1].get(f"/v1/customers/{id}")).json["balance"] == before == sum(range(1, 101))


async def test_transactions_are_listed_by_time_and_by_invoices_of_which_there_are_none(api: Api) -> None:
    id = (await api.customer())["id"]
    made = await adjusted(api, id, "amount=5&currency=usd")
    path = f"/v1/customers/{id}/balance_transactions"
    assert len((await api.get(f"{path}?created={made['created']}")).json["data"]) == 1
    assert (await api.get(f"{path}?created[lt]={made['created']}")).json["data"] == []
    page = (await api.get(f"{path}?invoice=in_1&expand[]=total_count")).json
    assert (page["data"], page["has_more"], page["total_count"]) == ([], False, 0)
    assert (await api.refused("GET", f"{path}?expand[]=data.invoice"))[1] == "expand"


async def test_a_transaction_under_one_key_is_made_once(api: Api) -> None:
    id = (await api.customer())["id"]
    first = await adjusted(api, id, "amount=5&currency=usd", Idempotency_Key="k")
    assert await adjusted(api, id, "amount=5&currency=usd", Idempotency_Key="k") == first
    assert (await api.get(f"/v1/customers/{id}")).json["balance"] == 5


async def test_cash_arrives_by_transfer_and_is_published(api: Api) -> None:
    id = (await api.customer())["id"]
    unused = (await api.get(f"/v1/customers/{id}/cash_balance")).json
    assert unused == {
        "object": "cash_balance",
        "available": None,
        "customer": id,
        "customer_account": None,
        "livemode": False,
        "settings": {"reconciliation_mode": "automatic", "using_merchant_default": True},
    }
    assert (await api.get(f"/v1/customers/{id}?expand[]=cash_balance")).json["cash_balance"] is None
    shown = await funded(api, id, "amount=1000&currency=EUR&reference=Rent")
    assert list(shown) == CASH
    assert (shown["net_amount"], shown["ending_balance"], shown["type"]) == (1000, 1000, "funded")
    assert shown["funded"]["bank_transfer"]["reference"] == "Rent"
    assert shown["funded"]["bank_transfer"]["type"] == "eu_bank_transfer"
    await funded(api, id, "amount=50&currency=usd")
    cash = (await api.get(f"/v1/customers/{id}/cash_balance")).json
    assert cash["available"] == {"eur": 1000, "usd": 50}
    assert (await api.get(f"/v1/customers/{id}?expand[]=cash_balance")).json["cash_balance"] == cash
    listed = (await api.get(f"/v1/customers/{id}/cash_balance_transactions")).json["data"]
    assert [one["net_amount"] for one in listed] == [50, 1000]
    path = f"/v1/customers/{id}/cash_balance_transactions/{shown['id']}?expand[]=customer"
    assert (await api.get(path)).json["customer"]["id"] == id
    transfer = ["customer_cash_balance_transaction.created", "cash_balance.funds_available"]
    assert await types(api) == ["customer.created", *transfer, *transfer]


async def test_how_cash_is_matched_is_settled_at_any_time(api: Api) -> None:
    mode = "cash_balance[settings][reconciliation_mode]"
    id = (await api.customer(f"{mode}=manual&expand[]=cash_balance"))["id"]
    path = f"/v1/customers/{id}/cash_balance"
    assert (await api.get(path)).json["settings"] == {"reconciliation_mode": "manual", "using_merchant_default": False}
    shown = (await api.update(id, f"{mode}=automatic&expand[]=cash_balance"))["cash_balance"]
    assert shown["settings"] == {"reconciliation_mode": "automatic", "using_merchant_default": False}
    shown = (await api.post(path, "settings[reconciliation_mode]=merchant_default")).json
    assert shown["settings"] == {"reconciliation_mode": "automatic", "using_merchant_default": True}
    assert (await api.post(path)).json == shown
    assert (await api.refused("POST", path, "settings[reconciliation_mode]=never"))[
        1
    ] == "settings[reconciliation_mode]"
    assert (await api.refused("POST", f"/v1/customers/{id}", f"{mode}="))[1] == mode


async def test_a_customer_with_a_cash_balance_cannot_be_deleted(api: Api) -> None:
    id = (await api.customer("cash_balance[settings][reconciliation_mode]=merchant_default"))["id"]
    assert (await api.refused("DELETE", f"/v1/customers/{id}"))[0] is None
    assert "deleted" not in (await api.get(f"/v1/customers/{id}")).json


async def test_a_transfer_that_cannot_be_is_refused(api: Api) -> None:
    path = f"/v1/test_helpers/customers/{(await api.customer())['id']}/fund_cash_balance"
    for body, param in (
        ("amount=0&currency=usd", "amount"),
        ("amount=1&currency=chf", "currency"),
        ("amount=1", "currency"),
    ):
        assert (await api.refused("POST", path, body))[1] == param
    live = await api.issue(livemode=True)
    assert (await api.refused("POST", path, "amount=1&currency=usd", key=live))[0] == "livemode_mismatch"


async def test_the_log_alone_leads_to_the_same_rows(api: Api, database: str) -> None:
    id = (await api.customer("balance=-300"))["id"]
    made = await adjusted(api, id, "amount=5&currency=eur")
    await api.post(f"/v1/customers/{id}/balance_transactions/{made['id']}", "description=x")
    await funded(api, id, "amount=1000&currency=usd")
    owner = await asyncpg.connect(database)
    select = "SELECT * FROM projections.resource WHERE parent <> '' ORDER BY kind, id"
    before = [tuple(row) for row in await owner.fetch(select)]
    await rebuild_customers(database, api.core.folds)
    assert [tuple(row) for row in await owner.fetch(select)] == before
    assert len(before) == 5
    await owner.close()


async def test_balances_serve_the_client_for_python(api: Api) -> None:
    def script(client: Any) -> None:
        customers = client.v1.customers
        id = customers.create({"balance": -10, "cash_balance": {"settings": {"reconciliation_mode": "manual"}}}).id
        for amount in range(1, 26):
            customers.balance_transactions.create(id, {"amount": amount, "currency": "usd"})
        pages = customers.balance_transactions.list(id, {"limit": 10})
        assert [one.amount for one in pages.auto_paging_iter()] == [*range(25, 0, -1), -10]
        first = customers.balance_transactions.retrieve(id, pages.data[0].id)
        assert type(first).__name__ == "CustomerBalanceTransaction"
        changed = customers.balance_transactions.update(id, first.id, {"description": "x", "metadata": {"a": "b"}})
        assert (changed.description, changed.metadata.to_dict()) == ("x", {"a": "b"})
        cash = customers.cash_balance.update(id, {"settings": {"reconciliation_mode": "automatic"}})
        assert (type(cash).__name__, cash.settings.reconciliation_mode) == ("CashBalance", "automatic")
        sent = client.v1.test_helpers.customers.fund_cash_balance(id, {"amount": 7, "currency": "usd"})
        assert customers.cash_balance.retrieve(id).available.to_dict() == {"usd": 7}
        assert [one.id for one in customers.cash_balance_transactions.list(id).auto_paging_iter()] == [sent.id]
        assert customers.cash_balance_transactions.retrieve(id, sent.id).net_amount == 7
        with pytest.raises(stripe.InvalidRequestError) as caught:
            customers.balance_transactions.create(id, {"amount": 0, "currency": "usd"})
        assert (caught.value.http_status, caught.value.code, caught.value.param) == (400, None, "amount")
        with pytest.raises(stripe.InvalidRequestError) as caught:
            customers.balance_transactions.retrieve(id, "cbtxn_none")
        assert (caught.value.http_status, caught.value.code) == (404, MISSING)

    await run_script(api, script)


@pytest.mark.node
async def test_balances_serve_the_client_for_node(api: Api, node: Any) -> None:
    await node_client.run_script(node, "balances.mjs", str(api.port), api.key)


async def test_an_empty_integer_is_no_integer(api: Api) -> None:
    customer = (await api.customer())["id"]
    for path, param in (
        ("/v1/customers", "balance"),
        (f"/v1/customers/{customer}", "balance"),
        (f"/v1/customers/{customer}/balance_transactions", "amount"),
        ("/v1/customers", "next_invoice_sequence"),
    ):
        code, blamed, _ = await api.refused(
            "POST", path, f"{param}=&currency=usd" if param == "amount" else f"{param}="
        )
        assert (code, blamed) == ("parameter_invalid_integer", param)
    assert (await api.refused("GET", "/v1/customers?limit="))[:2] == ("parameter_invalid_integer", "limit")
