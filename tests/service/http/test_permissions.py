"""Permissions of restricted keys: a table of every operation, every expansion and every parameter that writes beside.

A new operation, expansion or such parameter needs its entry here.
"""

from collections.abc import Iterator, Mapping

import pytest

from events.errors import Refusal
from events.sealer import Sealer
from projections import api_version
from service.commands import keys
from service.http import expand
from service.http.app import OPERATIONS
from service.http.expansions import OF_KIND, Hash, Items, Node, Older, Reference
from service.http.operation import Operation
from service.http.permissions import ALWAYS
from tests.service.http.search_follower import caught_up, following
from tests.service.serving import Answer, Api, Serve

# Operation -> the permissions that it needs whatever is sent.
NEEDED = {
    "audit.consistency": "audit:read",
    "audit.events": "audit:read",
    "audit.proof": "audit:read",
    "audit.log": "audit:read",
    "audit.state": "audit:read",
    "coupons.create": "coupons:write",
    "coupons.delete": "coupons:write",
    "coupons.list": "coupons:read",
    "coupons.retrieve": "coupons:read",
    "coupons.update": "coupons:write",
    "customers.balance_transactions.create": "customers:write",
    "customers.balance_transactions.list": "customers:read",
    "customers.balance_transactions.retrieve": "customers:read",
    "customers.balance_transactions.update": "customers:write",
    "customers.bank_accounts.create": "customers:write sources:write",
    "customers.bank_accounts.delete": "customers:write sources:write",
    "customers.bank_accounts.list": "customers:read sources:read",
    "customers.bank_accounts.retrieve": "customers:read sources:read",
    "customers.bank_accounts.update": "customers:write sources:write",
    "customers.bank_accounts.verify": "customers:write sources:write",
    "customers.cards.create": "customers:write sources:write",
    "customers.cards.delete": "customers:write sources:write",
    "customers.cards.list": "customers:read sources:read",
    "customers.cards.retrieve": "customers:read sources:read",
    "customers.cards.update": "customers:write sources:write",
    "customers.cash_balance.retrieve": "customers:read",
    "customers.cash_balance.update": "customers:write",
    "customers.cash_balance_transactions.list": "customers:read",
    "customers.cash_balance_transactions.retrieve": "customers:read",
    "customers.create": "customers:write",
    "customers.delete": "customers:write",
    "customers.discount.delete": "customers:write",
    "customers.discount.retrieve": "customers:read",
    "customers.funding_instructions.create": "customers:write",
    "customers.list": "customers:read",
    "customers.payment_methods.list": "payment_methods:read",
    "customers.payment_methods.retrieve": "payment_methods:read",
    "customers.retrieve": "customers:read",
    "customers.search": "customers:read",
    "customers.sources.create": "customers:write sources:write",
    "customers.sources.delete": "customers:write sources:write",
    "customers.sources.list": "customers:read sources:read",
    "customers.sources.retrieve": "customers:read sources:read",
    "customers.sources.update": "customers:write sources:write",
    "customers.sources.verify": "customers:write sources:write",
    "customers.subscriptions.list": "subscriptions:read",
    "customers.subscriptions.retrieve": "subscriptions:read",
    "customers.tax_ids.create": "customers:write tax_ids:write",
    "customers.tax_ids.delete": "customers:write tax_ids:write",
    "customers.tax_ids.list": "customers:read tax_ids:read",
    "customers.tax_ids.retrieve": "customers:read tax_ids:read",
    "customers.update": "customers:write",
    "events.list": "events:read",
    "events.retrieve": "events:read",
    "feed.read": "events:read",
    "payment_methods.attach": "payment_methods:write",
    "payment_methods.create": "payment_methods:write",
    "payment_methods.detach": "payment_methods:write",
    "payment_methods.list": "payment_methods:read",
    "payment_methods.retrieve": "payment_methods:read",
    "payment_methods.update": "payment_methods:write",
    "privacy.redaction_jobs.cancel": "privacy:write",
    "privacy.redaction_jobs.create": "privacy:write",
    "privacy.redaction_jobs.list": "privacy:read",
    "privacy.redaction_jobs.retrieve": "privacy:read",
    "privacy.redaction_jobs.run": "privacy:write customers:write payment_methods:write",
    "privacy.redaction_jobs.update": "privacy:write",
    "privacy.redaction_jobs.validate": "privacy:write",
    "privacy.redaction_jobs.validation_errors.list": "privacy:read",
    "privacy.redaction_jobs.validation_errors.retrieve": "privacy:read",
    "promotion_codes.create": "promotion_codes:write",
    "promotion_codes.list": "promotion_codes:read",
    "promotion_codes.retrieve": "promotion_codes:read",
    "promotion_codes.update": "promotion_codes:write",
    "rollbook.deliveries.cancel": "webhook_endpoints:write",
    "rollbook.deliveries.list": "webhook_endpoints:read",
    "rollbook.deliveries.resend": "webhook_endpoints:write",
    "rollbook.deliveries.retrieve": "webhook_endpoints:read",
    "rollbook.subscriptions.remove": "subscriptions:write",
    "rollbook.subscriptions.report": "subscriptions:write",
    "rollbook.webhook_endpoints.cancel_pending": "webhook_endpoints:write",
    "rollbook.webhook_endpoints.list": "webhook_endpoints:read",
    "rollbook.webhook_endpoints.pause": "webhook_endpoints:write",
    "rollbook.webhook_endpoints.recover": "webhook_endpoints:write",
    "rollbook.webhook_endpoints.resume": "webhook_endpoints:write",
    "rollbook.webhook_endpoints.retrieve": "webhook_endpoints:read",
    "rollbook.webhook_endpoints.roll_secret": "webhook_endpoints:write",
    "rollbook.webhook_endpoints.set_rules": "webhook_endpoints:write",
    "rollbook.webhook_endpoints.test": "webhook_endpoints:write",
    "tax_ids.create": "tax_ids:write",
    "tax_ids.delete": "tax_ids:write",
    "tax_ids.list": "tax_ids:read",
    "tax_ids.retrieve": "tax_ids:read",
    "test_clocks.advance": "test_clocks:write",
    "test_clocks.create": "test_clocks:write",
    "test_clocks.delete": "test_clocks:write customers:write",
    "test_clocks.list": "test_clocks:read",
    "test_clocks.retrieve": "test_clocks:read",
    "test_helpers.customers.fund_cash_balance": "customers:write",
    "tokens.create": "tokens:write",
    "tokens.retrieve": "tokens:read",
    "webhook_endpoints.create": "webhook_endpoints:write",
    "webhook_endpoints.delete": "webhook_endpoints:write",
    "webhook_endpoints.list": "webhook_endpoints:read",
    "webhook_endpoints.retrieve": "webhook_endpoints:read",
    "webhook_endpoints.update": "webhook_endpoints:write",
}

# Property that may be expanded, by the kind of the object that has it -> the permission to read what is shown.
EXPANDED: Mapping[str, Mapping[str, str]] = {
    "coupon": {"applies_to": "coupons:read", "currency_options": "coupons:read"},
    "customer": {
        "cash_balance": "customers:read",
        "default_source": "sources:read",
        "discount": "",
        "invoice_credit_balance": "customers:read",
        "invoice_settings": "",
        "sources": "sources:read",
        "subscriptions": "subscriptions:read",
        "tax": "customers:read",
        "tax_ids": "tax_ids:read",
        "test_clock": "test_clocks:read",
    },
    "customer_balance_transaction": {"customer": "customers:read"},
    "customer_cash_balance_transaction": {"customer": "customers:read"},
    "discount": {
        "coupon": "coupons:read",
        "customer": "customers:read",
        "promotion_code": "promotion_codes:read",
        "source": "",
    },
    "discount.source": {"coupon": "coupons:read"},
    "customer.invoice_settings": {"default_payment_method": "payment_methods:read"},
    "payment_method": {"customer": "customers:read"},
    "privacy.redaction_job": {"objects": "privacy:read"},
    "promotion_code": {"coupon": "coupons:read", "customer": "customers:read", "promotion": "", "restrictions": ""},
    "promotion_code.promotion": {"coupon": "coupons:read"},
    "promotion_code.restrictions": {"currency_options": "promotion_codes:read"},
    "source": {"customer": "customers:read"},
    "subscription": {
        "customer": "customers:read",
        "default_payment_method": "payment_methods:read",
        "default_source": "sources:read",
        "items": "",
        "latest_invoice": "",
        "test_clock": "test_clocks:read",
    },
    "subscription.items": {"data": ""},
    "tax_id": {"customer": "customers:read", "owner": ""},
    "tax_id.owner": {"customer": "customers:read"},
}

# Object that an older version shows with something whole where newer ones have its id -> the permission to read that.
WHOLE_IN_OLDER = {"discount": ("coupon", "coupons:read"), "promotion_code": ("coupon", "coupons:read")}

# Parameter that makes or changes more than the operation's own object -> the permissions for that.
WRITTEN_BESIDE: Mapping[str, Mapping[str, str]] = {
    "customers.create": {
        "coupon": "coupons:write",
        "payment_method": "payment_methods:write",
        "promotion_code": "promotion_codes:write coupons:write",
        "source": "sources:write",
        "tax_id_data": "tax_ids:write",
        "test_clock": "test_clocks:write",
    },
    "customers.update": {
        "bank_account": "sources:write",
        "card": "sources:write",
        "coupon": "coupons:write",
        "promotion_code": "promotion_codes:write coupons:write",
        "source": "sources:write",
    },
    "test_clocks.create": {"customer": "customers:write"},
}

# The parameters that an operation needs before it gets as far as its expansions.
BODIES = {
    "coupons.create": "percent_off=5",
    "customers.balance_transactions.create": "amount=1&currency=usd",
    "customers.bank_accounts.create": "source=btok_us_verified",
    "customers.bank_accounts.verify": "amounts[]=32&amounts[]=45",
    "customers.cards.create": "source=tok_visa",
    "customers.sources.create": "source=tok_visa",
    "customers.sources.verify": "amounts[]=32&amounts[]=45",
    "customers.tax_ids.create": "type=eu_vat&value=DE123456789",
    "payment_methods.attach": "customer=cus_none",
    "payment_methods.create": "type=card&card[token]=tok_visa",
    "promotion_codes.create": "coupon=none",
    "tax_ids.create": "type=eu_vat&value=DE123456789",
    "test_clocks.advance": "frozen_time=1900000000",
    "test_clocks.create": "frozen_time=1900000000",
    "test_helpers.customers.fund_cash_balance": "amount=1&currency=usd",
}


class Permits:
    """A request of a key with these permissions alone, or one that takes note of what is asked of it."""

    def __init__(self, *permissions: str) -> None:
        self.asked: list[str] = []
        self._permissions = permissions

    def permit(self, permission: str) -> None:
        self.asked.append(permission)
        if self._permissions and permission not in self._permissions:
            raise Refusal(permission)


def test_every_operation_needs_what_the_table_says() -> None:
    assert {o.name: " ".join((o.permission, *o.beside.get(ALWAYS, ()))) for o in OPERATIONS} == NEEDED
    assert {permission for needed in NEEDED.values() for permission in needed.split()} == set(keys.PERMISSIONS) - {
        "events:write",  # kept for keys that were given it: no operation writes events
    }


def test_every_parameter_that_writes_beside_needs_what_the_table_says() -> None:
    for operation in OPERATIONS:
        said = {name: " ".join(needed) for name, needed in operation.beside.items() if name != ALWAYS}
        assert said == WRITTEN_BESIDE.get(operation.name, {}), operation.name
        assert said.keys() <= operation.parameters.model_fields.keys()


def within(node: Node, name: str, kind: str) -> tuple[Mapping[str, Node], str]:
    """What may be expanded within a property of a kind of object, and where the table has it."""
    match node:
        case Reference():
            return OF_KIND.get(node.kind, {}), node.kind
        case Items():
            return {"data": Hash(OF_KIND[node.kind], stands=True)}, f"list.{node.kind}"
        case Hash():
            if kind.startswith("list."):
                return node.within, kind.removeprefix("list.")
            return node.within, "discount" if name == "discount" else f"{kind}.{name}"
        case _:
            return {}, ""


def paths(kind: str, levels: int) -> Iterator[tuple[str, set[str]]]:
    """Every path that may be expanded in an object of a kind, with the permissions that the table says it needs."""

    def go_on(
        properties: Mapping[str, Node], of: str, before: tuple[str, ...], needed: set[str]
    ) -> Iterator[tuple[str, set[str]]]:
        for name, node in properties.items():
            step = "" if of.startswith("list.") else EXPANDED[of][name]
            path, all_needed = (*before, name), needed | ({step} if step else set())
            inner, where = within(node, name, of)
            if not (isinstance(node, Older) or (isinstance(node, Hash) and not node.stands)):
                yield ".".join(path), all_needed
            if len(path) < levels:
                if isinstance(node, Older):
                    inner, where = OF_KIND["coupon"], "coupon"
                yield from go_on(inner, where, path, all_needed)

    yield from go_on(OF_KIND.get(kind, {}), kind, (), set())


@pytest.mark.parametrize("kind", OF_KIND)
def test_every_expansion_needs_what_the_table_says(kind: str) -> None:
    for path, needed in paths(kind, expand.LEVELS_MAX):
        notes = Permits()
        expand.paths(notes, [path], kind)
        assert set(notes.asked) == needed, path
        for missing in needed:
            others = needed - {missing} or {"events:read"}
            with pytest.raises(Refusal, match=missing):
                expand.paths(Permits(*others), [path], kind)


def test_the_table_has_nothing_that_is_not_there() -> None:
    seen = {(of, name) for of, names in EXPANDED.items() for name in names}
    for kind in OF_KIND:
        todo = [(kind, OF_KIND[kind])]
        while todo:
            of, properties = todo.pop()
            seen -= {(of, name) for name in properties}
            for name, node in properties.items():
                if isinstance(node, Hash):
                    todo.append((within(node, name, of)[1], node.within))
    assert not seen


def kind_of(operation: Operation) -> str:
    """The kind of object that an operation answers with, as expansions name it."""
    answers = operation.answers if isinstance(operation.answers, str) else operation.answers[0]
    kind = answers.removeprefix("search_result.").removeprefix("list.").removeprefix("deleted_")
    return "source" if kind in ("card", "bank_account") else kind


async def test_no_operation_expands_what_a_key_may_not_read(api: Api) -> None:
    customer = (await api.customer())["id"]
    before = (await api.get("/v1/events")).body
    issued: dict[str, str] = {}
    asked = 0
    for operation in OPERATIONS:
        if "expand" not in operation.parameters.model_fields:
            continue
        own = NEEDED[operation.name]
        reads = {permission.replace(":write", ":read") for permission in own.split()}
        if own not in issued:
            issued[own] = await api.issue(key_type="restricted", permissions=tuple(own.split()))
        path = operation.path.replace("{customer}", customer)
        for placeholder in ("id", "payment_method", "promotion_code", "subscription", "tax_id", "transaction"):
            path = path.replace(f"{{{placeholder}}}", "none")
        listed = str(operation.answers).startswith(("list.", "search_result."))
        for expanded, needed in paths(kind_of(operation), 2):
            if needed <= reads:
                continue
            sent = f"expand[]={'data.' if listed else ''}{expanded}"
            if operation.name == "customers.search":
                sent += "&query=name:'x'"
            if operation.method == "POST":
                answer = await api.post(path, f"{BODIES.get(operation.name, '')}&{sent}", key=issued[own])
            else:
                answer = await api.ask(operation.method, f"{path}?{sent}", key=issued[own])
            assert answer.status == 403, (operation.name, expanded, answer.body)
            assert any(f"'{permission}' permission" in answer.error["message"] for permission in needed - reads)
            asked += 1
    assert asked > 100
    assert (await api.get("/v1/events")).body == before, "and nothing was done"


def test_what_older_versions_show_whole_is_what_the_table_says() -> None:
    assert set(api_version.HOLDERS) == set(WHOLE_IN_OLDER)
    for kind, (property, permission) in WHOLE_IN_OLDER.items():
        notes = Permits()
        expand.paths(notes, [f"{property}.currency_options"], kind)
        assert set(notes.asked) == {permission}


# Operations that read objects which an older version shows a whole coupon in.
SHOW_COUPONS = {
    "customers.discount.retrieve",
    "customers.list",
    "customers.retrieve",
    "customers.search",
    "events.list",
    "events.retrieve",
    "feed.read",
    "promotion_codes.list",
    "promotion_codes.retrieve",
}
ALL_BUT_COUPONS = tuple(sorted(permission for permission in keys.PERMISSIONS if not permission.startswith("coupons:")))
NAMED = b'"coupon":"SALE"'


@pytest.fixture
async def old(serve: Serve) -> Api:
    """An application whose requests and events are of an older version."""
    api = await serve(api_version="2025-08-27.basil")
    await api.post("/v1/coupons", "id=SALE&percent_off=12.5")
    return api


async def test_no_operation_reads_a_whole_coupon_for_a_key_that_may_not(old: Api) -> None:
    code = (await old.post("/v1/promotion_codes", "coupon=SALE")).json["id"]
    customer = (await old.customer(f"promotion_code={code}&email=ada@example.com"))["id"]
    [event] = await old.events("customer.discount.created")
    ids = {"customer": customer, "promotion_code": code, "event": event["id"]}
    await Sealer(old.core.pool, lambda: None).catch_up()
    queries = {
        "audit.consistency": "from=1&",
        "audit.proof": "position=1&",
        "customers.search": "query=email:'ada@example.com'&",
        "events.list": "type=customer.*&",
        "feed.read": "after=0&types[]=customer.created&types[]=customer.discount.created&",
    }
    lacking = await old.issue(key_type="restricted", permissions=ALL_BUT_COUPONS)
    having = await old.issue(key_type="restricted", permissions=(*ALL_BUT_COUPONS, "coupons:read"))
    whole = set()
    async with following(old):
        await caught_up(old)
        for operation in OPERATIONS:
            if operation.method != "GET" or operation.permission == "coupons:read":
                continue
            try:
                path = operation.path.format(**ids)
            except KeyError:  # one of something that has no coupon within it
                continue
            query = queries.get(operation.name, "")
            if "expand" in operation.parameters.model_fields:
                within = "data." if str(operation.answers).startswith(("list.", "search_result.")) else ""
                expanded = {path for path, needed in paths(kind_of(operation), 2) if "coupons:read" not in needed}
                query += "&".join(f"expand[]={within}{path}" for path in sorted(expanded))
            named = await old.get(f"{path}?{query}", key=lacking)
            shown = await old.get(f"{path}?{query}", key=having)
            assert (named.status, shown.status) == (200, 200), (operation.name, named.body)
            assert b"percent_off" not in named.body, operation.name
            if b"percent_off" in shown.body:
                whole.add(operation.name)
                assert NAMED in named.body.replace(b" ", b""), operation.name
    assert whole == SHOW_COUPONS


async def test_no_operation_writes_or_replays_a_whole_coupon_for_a_key_that_may_not(old: Api) -> None:
    code = (await old.post("/v1/promotion_codes", "coupon=SALE")).json["id"]
    customer = f"/v1/customers/{(await old.customer('coupon=SALE'))['id']}"
    lacking = await old.issue(key_type="restricted", permissions=ALL_BUT_COUPONS)
    first = await old.post(customer, "name=Ada", Idempotency_Key="one")
    assert first.json["discount"]["coupon"]["percent_off"] == 12.5
    for path, body, headers in (
        (customer, "name=Eve", {}),
        (customer, "name=Eve", {"Idempotency_Key": "two"}),
        (customer, "name=Ada", {"Idempotency_Key": "one"}),
        (f"/v1/promotion_codes/{code}", "metadata[a]=b", {}),
        ("/v1/promotion_codes", "coupon=SALE", {}),
    ):
        answer = await old.post(path, body, key=lacking, **headers)
        assert (answer.status, answer.json.get("discount", answer.json)["coupon"]) == (200, "SALE"), (path, body)
    assert (await old.post(customer, "name=Ada", Idempotency_Key="one")).body == first.body
    assert (await old.post(customer, "name=Eve", Idempotency_Key="two")).json["discount"] == first.json["discount"]
    removed = await old.delete(f"{customer}/discount", key=lacking)
    assert (removed.status, removed.json["coupon"]) == (200, "SALE")


async def test_a_key_with_the_permission_to_read_expands(api: Api) -> None:
    customer = await api.customer(
        "source=tok_visa&payment_method=pm_card_visa&tax_id_data[0][type]=eu_vat\
&tax_id_data[0][value]=DE123456789"
    )
    path = f"/v1/customers/{customer['id']}?expand[]=sources&expand[]=tax_ids.data.customer"
    both = await api.issue(key_type="restricted", permissions=("customers:read", "sources:read", "tax_ids:write"))
    answer = await api.get(path, key=both)
    assert answer.status == 200
    assert answer.json["tax_ids"]["data"][0]["customer"]["id"] == customer["id"]
    one = await api.issue(key_type="restricted", permissions=("customers:read", "tax_ids:read"))
    error = (await api.get(path, key=one)).error
    assert (error["type"], "code" in error) == ("invalid_request_error", False)
    assert error["message"].startswith("The provided key 'key_")
    assert error["message"].endswith("Having the 'sources:read' permission would allow this request to continue.")


SENT = {
    "customers.create": {
        "coupon": "coupon=TEN",
        "payment_method": "payment_method=pm_card_visa",
        "promotion_code": "promotion_code={code}",
        "source": "source=tok_visa",
        "tax_id_data": "tax_id_data[0][type]=eu_vat&tax_id_data[0][value]=DE123456789",
        "test_clock": "test_clock={clock}",
    },
    "customers.update": {
        "bank_account": "bank_account=btok_us_verified",
        "card": "card=tok_visa",
        "coupon": "coupon=TEN",
        "promotion_code": "promotion_code={code}",
        "source": "source=tok_visa",
    },
    "test_clocks.create": {"customer": "frozen_time=1900000000&customer={customer}"},
}


async def test_what_is_written_beside_needs_its_own_permission(api: Api) -> None:
    await api.post("/v1/coupons", "id=TEN&percent_off=10")
    code = (await api.post("/v1/promotion_codes", "coupon=TEN")).json["id"]
    clock = (await api.post("/v1/test_helpers/test_clocks", "frozen_time=1900000000")).json["id"]
    paths = {operation.name: operation.path for operation in OPERATIONS}
    for operation, parameters in WRITTEN_BESIDE.items():
        for parameter, needed in parameters.items():
            customer = (await api.customer())["id"]
            body = SENT[operation][parameter].format(code=code, clock=clock, customer=customer)
            own = NEEDED[operation].split()
            for missing in needed.split():
                permissions = (*own, *(permission for permission in needed.split() if permission != missing))
                lacking = await api.issue(key_type="restricted", permissions=permissions)
                refused = await api.post(paths[operation].format(customer=customer), body, key=lacking)
                assert refused.status == 403, (operation, parameter)
                assert f"'{missing}' permission" in refused.error["message"]
            having = await api.issue(key_type="restricted", permissions=(*own, *needed.split()))
            done = await api.post(paths[operation].format(customer=customer), body, key=having)
            assert done.status == 200, (operation, parameter, done.body)


async def test_what_depends_on_the_object_needs_its_own_permission_too(api: Api) -> None:
    async def with_rights(*permissions: str) -> str:
        return await api.issue(key_type="restricted", permissions=permissions)

    async def both_ways(method: str, path: str, body: str | None, own: str, more: str) -> Answer:
        refused = await api.ask(method, path, body, key=await with_rights(own))
        assert refused.status == 403, (method, path)
        assert f"'{more}' permission" in refused.error["message"]
        answer = await api.ask(method, path, body, key=await with_rights(own, more))
        assert answer.status == 200, answer.body
        return answer

    customer = (await api.customer())["id"]
    await both_ways("GET", "/v1/tokens/tok_visa", None, "tokens:read", "tokens:write")
    await both_ways("GET", "/v1/payment_methods/pm_card_visa", None, "payment_methods:read", "payment_methods:write")
    number = "type=eu_vat&value=DE123456789"
    owned = f"{number}&owner[type]=customer&owner[customer]={customer}"
    made = await both_ways("POST", "/v1/tax_ids", owned, "tax_ids:write", "customers:write")
    await both_ways("DELETE", f"/v1/tax_ids/{made.json['id']}", None, "tax_ids:write", "customers:write")
    writer = await with_rights("tax_ids:write")
    ours = await api.post("/v1/tax_ids", number, key=writer)
    assert (await api.ask("DELETE", f"/v1/tax_ids/{ours.json['id']}", key=writer)).status == 200
    nothing_beside = await api.post(f"/v1/customers/{customer}", "coupon=", key=await with_rights("customers:write"))
    assert nothing_beside.status == 200, "taking a discount away writes on no coupon"


async def test_a_key_without_the_permission_meets_no_replay(api: Api) -> None:
    body = "source=tok_visa&expand[]=sources"
    first = await api.post("/v1/customers", body, Idempotency_Key="one")
    lacking = await api.issue(key_type="restricted", permissions=("customers:write", "sources:write"))
    assert (await api.post("/v1/customers", body, Idempotency_Key="one", key=lacking)).body == first.body
    lacking = await api.issue(key_type="restricted", permissions=("customers:write",))
    assert (await api.post("/v1/customers", body, Idempotency_Key="one", key=lacking)).status == 403
