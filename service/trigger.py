"""`rollbook trigger`: triggers an event in test mode through the public API, to test a receiver.

Each event type has a recipe: a sequence of requests, the last of which causes the event. A recipe makes whatever
objects it needs. `{customer}` in a path or a value is the id of the customer that a step before gave, and so for other
objects; `{fresh}` is an id's worth of letters, `{now}` the time in Unix seconds.
"""

import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from urllib.parse import quote

import orjson

from events import ids
from service.cli.output import Output
from service.client import Client, Refused, calling

LIVE = ("sk_live_", "rk_live_")
DAY_S = 24 * 3600


@dataclass(frozen=True, slots=True)
class Step:
    """One request."""

    method: str
    path: str
    form: Mapping[str, str] = field(default_factory=dict)


CUSTOMERS, COUPONS, CODES = "/v1/customers", "/v1/coupons", "/v1/promotion_codes"
CUSTOMER, CLOCKS = "/v1/customers/{customer}", "/v1/test_helpers/test_clocks"
SUBSCRIPTION = "/v1/rollbook/customers/{customer}/subscriptions/sub_{fresh}"

A_CUSTOMER = Step(
    "POST",
    CUSTOMERS,
    {
        "name": "Jenny Rosen",
        "email": "jenny.rosen@example.com",
        "phone": "+15555550123",
        "description": "Made by rollbook trigger",
        "address[line1]": "510 Townsend St",
        "address[city]": "San Francisco",
        "address[state]": "CA",
        "address[postal_code]": "94103",
        "address[country]": "US",
        "preferred_locales[]": "en",
        "metadata[order_id]": "6735",
    },
)
A_COUPON = Step("POST", COUPONS, {"name": "Spring sale", "percent_off": "25", "duration": "once"})
ANOTHER_COUPON = Step("POST", COUPONS, {"name": "Welcome", "percent_off": "10", "duration": "forever"})
A_CODE = Step(
    "POST",
    CODES,
    {"promotion[type]": "coupon", "promotion[coupon]": "{coupon}", "restrictions[first_time_transaction]": "true"},
)
A_DISCOUNT = Step("POST", CUSTOMER, {"coupon": "{coupon}"})
A_TAX_ID = Step("POST", CUSTOMER + "/tax_ids", {"type": "eu_vat", "value": "DE000000000"})  # is verified when it is due
A_CLOCK = Step("POST", CLOCKS, {"frozen_time": "{now}", "name": "Made by rollbook trigger"})
AN_ADVANCE = Step("POST", CLOCKS + "/{test_clock}/advance", {"frozen_time": "{tomorrow}"})
A_REPORT = Step(
    "PUT",
    SUBSCRIPTION,
    {
        "status": "active",
        "currency": "usd",
        "current_period_start": "{now}",
        "current_period_end": "{tomorrow}",
        "items[0][id]": "si_{fresh}",
        "items[0][price][id]": "price_gold",
        "items[0][price][unit_amount]": "2000",
    },
)
CANCELED = Step("PUT", SUBSCRIPTION, {**A_REPORT.form, "status": "canceled"})
OVERDUE = Step("PUT", SUBSCRIPTION, {**A_REPORT.form, "status": "past_due"})

A_CARD = Step("POST", CUSTOMER + "/sources", {"source": "tok_visa"})
A_METHOD = Step("POST", "/v1/payment_methods/pm_card_visa/attach", {"customer": "{customer}"})
METHOD = "/v1/payment_methods/{payment_method}"
A_TRANSFER = Step(
    "POST",
    "/v1/test_helpers/customers/{customer}/fund_cash_balance",
    {"amount": "5000", "currency": "eur", "reference": "Invoice 4242"},
)

RECIPES: Mapping[str, tuple[Step, ...]] = {
    "cash_balance.funds_available": (A_CUSTOMER, A_TRANSFER),
    "coupon.created": (A_COUPON,),
    "coupon.deleted": (A_COUPON, Step("DELETE", COUPONS + "/{coupon}")),
    "coupon.updated": (A_COUPON, Step("POST", COUPONS + "/{coupon}", {"name": "Summer sale"})),
    "customer.created": (A_CUSTOMER,),
    "customer.deleted": (A_CUSTOMER, Step("DELETE", CUSTOMER)),
    "customer.discount.created": (A_CUSTOMER, A_COUPON, A_DISCOUNT),
    "customer.discount.deleted": (A_CUSTOMER, A_COUPON, A_DISCOUNT, Step("DELETE", CUSTOMER + "/discount")),
    "customer.discount.updated": (A_CUSTOMER, A_COUPON, A_DISCOUNT, ANOTHER_COUPON, A_DISCOUNT),
    "customer.source.created": (A_CUSTOMER, A_CARD),
    "customer.source.deleted": (A_CUSTOMER, A_CARD, Step("DELETE", CUSTOMER + "/sources/{card}")),
    "customer.source.updated": (A_CUSTOMER, A_CARD, Step("POST", CUSTOMER + "/sources/{card}", {"name": "J. Rosen"})),
    "customer.subscription.created": (A_CUSTOMER, A_REPORT),
    "customer.subscription.deleted": (A_CUSTOMER, A_REPORT, CANCELED),
    "customer.subscription.updated": (A_CUSTOMER, A_REPORT, OVERDUE),
    "customer.tax_id.created": (A_CUSTOMER, A_TAX_ID),
    "customer.tax_id.deleted": (A_CUSTOMER, A_TAX_ID, Step("DELETE", CUSTOMER + "/tax_ids/{tax_id}")),
    "customer.tax_id.updated": (A_CUSTOMER, A_TAX_ID),
    "customer.updated": (
        A_CUSTOMER,
        Step("POST", CUSTOMER, {"email": "jenny@example.com", "metadata[order_id]": "", "metadata[tier]": "gold"}),
    ),
    "customer_cash_balance_transaction.created": (A_CUSTOMER, A_TRANSFER),
    "payment_method.attached": (A_CUSTOMER, A_METHOD),
    "payment_method.detached": (A_CUSTOMER, A_METHOD, Step("POST", METHOD + "/detach")),
    "payment_method.updated": (A_CUSTOMER, A_METHOD, Step("POST", METHOD, {"billing_details[name]": "J. Rosen"})),
    "promotion_code.created": (A_COUPON, A_CODE),
    "promotion_code.updated": (A_COUPON, A_CODE, Step("POST", CODES + "/{promotion_code}", {"active": "false"})),
    "test_helpers.test_clock.advancing": (A_CLOCK, AN_ADVANCE),
    "test_helpers.test_clock.created": (A_CLOCK,),
    "test_helpers.test_clock.deleted": (A_CLOCK, Step("DELETE", CLOCKS + "/{test_clock}")),
    "test_helpers.test_clock.ready": (A_CLOCK, AN_ADVANCE),
}  # fmt: skip


async def run(*, url: str, key: str, type: str, out: Output) -> None:
    """Cause an event of `type`, and print each request. Raises client.Refused and client.Away."""
    if type not in RECIPES:
        raise Refused(f"There is no recipe for {type}: `rollbook trigger --list` lists all recipes.")
    if key.startswith(LIVE):
        raise Refused("This is a live mode key; events can be triggered in test mode only.")
    async with calling(url, key) as client:
        out.document(await follow(RECIPES[type], client, out.line))


async def follow(recipe: tuple[Step, ...], client: Client, say: Callable[[str], None]) -> list[dict[str, str]]:
    """Take the steps of a recipe; gives the requests. Raises client.Refused and client.Away."""
    now = int(time.time())
    known = {
        "now": str(now),
        "tomorrow": str(now + DAY_S),
        "fresh": ids.new("", os.urandom(ids.ID_BYTES)).removeprefix("_"),
    }
    done = []
    for step in recipe:
        path = step.path.format_map({name: quote(value, safe="") for name, value in known.items()})
        answer = await client.ask(
            step.method, path, [(name, value.format_map(known)) for name, value in step.form.items()]
        )
        shown = orjson.loads(answer.body)
        known[shown["object"].rpartition(".")[2]] = shown["id"]
        done.append({"method": step.method, "path": path, "id": shown["id"]})
        say(f"{step.method} {path}  -> {shown['id']}")
    return done
