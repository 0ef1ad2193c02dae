"""Promotion codes over the wire: what is shown of them, what changes them, what they may not be."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import stripe

from service.jobs import handlers, scheduler
from tests.service.http.python_client import Script, run_script
from tests.service.serving import Api
from tests.waiting import until

PATH = "/v1/promotion_codes"
KEYS = [
    "id", "object", "active", "code", "created", "customer", "customer_account", "expires_at", "livemode",
    "max_redemptions", "metadata", "promotion", "restrictions", "times_redeemed",
]  # fmt: skip


async def coupon(api: Api, body: str = "percent_off=10&id=SALE", **headers: Any) -> None:
    answer = await api.post("/v1/coupons", body, **headers)
    assert answer.status == 200, answer.body


async def made(api: Api, body: str = "coupon=SALE", **headers: Any) -> Any:
    answer = await api.post(PATH, body, **headers)
    assert answer.status == 200, answer.body
    return answer.json


async def test_a_code_shows_these_keys_in_this_order_however_its_coupon_was_spelled(api: Api) -> None:
    await coupon(api)
    for spelled in ("coupon=SALE", "promotion[type]=coupon&promotion[coupon]=SALE"):
        shown = await made(api, spelled)
        assert list(shown) == KEYS
        assert re.fullmatch(r"promo_[0-9A-Za-z]{14}", shown["id"])
        assert re.fullmatch(r"[0-9A-Z]{8}", shown["code"])
        assert {key: shown[key] for key in KEYS if key not in ("id", "code", "created")} == {
            "object": "promotion_code",
            "active": True,
            "customer": None,
            "customer_account": None,
            "expires_at": None,
            "livemode": False,
            "max_redemptions": None,
            "metadata": {},
            "promotion": {"coupon": "SALE", "type": "coupon"},
            "restrictions": {
                "first_time_transaction": False,
                "minimum_amount": None,
                "minimum_amount_currency": None,
            },
            "times_redeemed": 0,
        }
        assert (await api.get(f"{PATH}/{shown['id']}")).json == shown
        event = (await api.events("promotion_code.*"))[-1]
        assert (event["type"], event["data"]) == ("promotion_code.created", {"object": shown})


async def test_a_code_is_created_with_everything_and_expanded(api: Api) -> None:
    await coupon(api)
    customer = await api.customer()
    body = (
        f"coupon=SALE&code=Summer-26&active=false&customer={customer['id']}&expires_at=99999999999&max_redemptions=2"
        "&metadata[a]=1&restrictions[first_time_transaction]=true&restrictions[minimum_amount]=500"
        "&restrictions[minimum_amount_currency]=USD&restrictions[currency_options][EUR][minimum_amount]=400"
        "&expand[]=restrictions.currency_options&expand[]=promotion.coupon&expand[]=customer"
    )
    shown = await made(api, body)
    assert (shown["code"], shown["active"], shown["expires_at"]) == ("Summer-26", False, 99999999999)
    assert (shown["customer"], shown["promotion"]["coupon"]["percent_off"]) == (customer, 10)
    assert shown["restrictions"] == {
        "first_time_transaction": True,
        "minimum_amount": 500,
        "minimum_amount_currency": "usd",
        "currency_options": {"eur": {"minimum_amount": 400}},
    }
    plain = (await api.get(f"{PATH}/{shown['id']}")).json
    assert "currency_options" not in plain["restrictions"]
    listed = (await api.get(f"{PATH}?expand[]=data.restrictions.currency_options")).json["data"]
    assert listed[0]["restrictions"] == shown["restrictions"]


IMPOSSIBLE = [
    ("", "parameter_missing", "promotion"),
    ("promotion[type]=coupon", "parameter_missing", "promotion[coupon]"),
    ("promotion[coupon]=SALE", "parameter_missing", "promotion[type]"),
    ("promotion[type]=gift&promotion[coupon]=SALE", None, "promotion[type]"),
    ("promotion[type]=coupon&promotion[coupon]=SALE&coupon=SALE", "parameters_exclusive", "coupon"),
    ("coupon=", "parameter_invalid_empty", "coupon"),
    ("coupon=NONE", "resource_missing", "coupon"),
    ("promotion[type]=coupon&promotion[coupon]=NONE", "resource_missing", "promotion[coupon]"),
    ("coupon=USED", "coupon_expired", "coupon"),
    ("promotion[type]=coupon&promotion[coupon]=USED", "coupon_expired", "promotion[coupon]"),
    ("coupon=SALE&customer=cus_x", "resource_missing", "customer"),
    ("coupon=SALE&customer=", "parameter_invalid_empty", "customer"),
    ("coupon=SALE&code=", "parameter_invalid_empty", "code"),
    ("coupon=SALE&code=a b", None, "code"),
    ("coupon=SALE&code=" + "x" * 501, None, "code"),
    ("coupon=SALE&active=perhaps", None, "active"),
    ("coupon=SALE&expires_at=1", None, "expires_at"),
    ("coupon=SALE&max_redemptions=0", None, "max_redemptions"),
    ("coupon=FEW&max_redemptions=4", None, "max_redemptions"),
    ("coupon=FEW&expires_at=99999999999", None, "expires_at"),
    ("coupon=SALE&restrictions[minimum_amount]=5", "parameter_missing", "restrictions[minimum_amount_currency]"),
    ("coupon=SALE&restrictions[minimum_amount_currency]=usd", "parameter_missing", "restrictions[minimum_amount]"),
    ("coupon=SALE&restrictions[x]=1", "parameter_unknown", "restrictions[x]"),
    ("coupon=SALE&restrictions[currency_options][e][minimum_amount]=1", None, "restrictions[currency_options]"),
    ("coupon=SALE&times_redeemed=1", "parameter_unknown", "times_redeemed"),
    ("coupon=SALE&expand[]=coupon", None, "expand"),
]


async def test_a_code_that_cannot_be_is_refused(api: Api) -> None:
    await coupon(api)
    await coupon(api, "percent_off=10&id=FEW&max_redemptions=3&redeem_by=9999999999")
    await coupon(api, "percent_off=10&id=USED&max_redemptions=1")
    await api.customer("coupon=USED")
    for body, code, param in IMPOSSIBLE:
        assert (await api.refused("POST", PATH, body))[:2] == (code, param), body
    assert (await api.get(PATH)).json["data"] == []
    assert await api.events("promotion_code.*") == []


async def test_a_code_is_unique_among_the_active_ones_capitals_or_not(api: Api) -> None:
    await coupon(api)
    taken = ("resource_already_exists", "code")
    first = await made(api, "coupon=SALE&code=Summer")
    assert (await api.refused("POST", PATH, "coupon=SALE&code=SUMMER"))[:2] == taken
    waiting = await made(api, "coupon=SALE&code=summer&active=false")
    assert (await api.refused("POST", f"{PATH}/{waiting['id']}", "active=true"))[:2] == taken
    assert (await api.post(f"{PATH}/{first['id']}", "active=false")).json["active"] is False
    assert (await api.post(f"{PATH}/{waiting['id']}", "active=true")).json["active"] is True
    assert (await api.refused("POST", f"{PATH}/{first['id']}", "active=true"))[:2] == taken
    other = await api.issue(account="acct_other")
    await coupon(api, key=other)
    await made(api, "coupon=SALE&code=Summer", key=other)
    live = await api.issue(livemode=True)
    await coupon(api, key=live)
    await made(api, "coupon=SALE&code=Summer", key=live)


async def test_a_code_that_is_used_up_leaves_its_name_to_another(api: Api) -> None:
    await coupon(api)
    first = await made(api, "coupon=SALE&code=ONCE&max_redemptions=1")
    await api.customer(f"promotion_code={first['id']}")
    shown = (await api.get(f"{PATH}/{first['id']}")).json
    assert (shown["active"], shown["times_redeemed"]) == (False, 1)
    await made(api, "coupon=SALE&code=once")
    [created, _] = await api.events("promotion_code.*")
    assert created["type"] == "promotion_code.created", "no other event shows a redemption"


async def test_only_whether_it_is_active_its_metadata_and_currency_options_change(api: Api) -> None:
    await coupon(api)
    shown = await made(api, "coupon=SALE&metadata[a]=1&restrictions[first_time_transaction]=true")
    own = f"{PATH}/{shown['id']}"
    body = "active=false&metadata[a]=&restrictions[currency_options][eur][minimum_amount]=4"
    changed = (await api.post(own, body + "&expand[]=restrictions.currency_options")).json
    assert (changed["active"], changed["metadata"]) == (False, {})
    assert changed["restrictions"]["first_time_transaction"] is True
    assert changed["restrictions"]["currency_options"] == {"eur": {"minimum_amount": 4}}
    for body in ("code=x", "coupon=SALE", "max_redemptions=5", "restrictions[minimum_amount]=5"):
        assert (await api.refused("POST", own, body))[0] == "parameter_unknown"
    _, event = await api.events("promotion_code.*")
    assert event["type"] == "promotion_code.updated"
    assert event["data"]["previous_attributes"] == {"active": True, "metadata": {"a": "1"}}


async def test_one_whose_coupon_is_gone_is_not_made_active_again(api: Api) -> None:
    await coupon(api)
    shown = await made(api, "coupon=SALE&active=false")
    await api.delete("/v1/coupons/SALE")
    assert (await api.refused("POST", f"{PATH}/{shown['id']}", "active=true"))[:2] == (None, "active")


async def test_a_list_is_narrowed_by_what_codes_are(api: Api) -> None:
    await coupon(api)
    await coupon(api, "percent_off=5&id=OTHER")
    customer = (await api.customer())["id"]
    one = (await made(api, "coupon=SALE&code=One"))["id"]
    two = (await made(api, "coupon=OTHER&code=Two&active=false"))["id"]
    three = (await made(api, f"coupon=SALE&code=Three&customer={customer}"))["id"]

    async def listed(query: str) -> list[str]:
        return [item["id"] for item in (await api.get(f"{PATH}?{query}")).json["data"]]

    assert await listed("") == [three, two, one]
    assert await listed("active=true") == [three, one]
    assert await listed("active=false") == [two]
    assert await listed("code=ONE") == await listed("code=one") == [one]
    assert await listed("coupon=SALE") == [three, one]
    assert await listed("coupon=SALE&limit=1&starting_after=" + three) == [one]
    assert await listed(f"customer={customer}") == [three]
    assert await listed("coupon=SALE&active=false") == []
    assert await listed("created[lt]=5") == []
    assert (await api.get(f"{PATH}?coupon=SALE&expand[]=total_count")).json["total_count"] == 2
    assert (await api.refused("GET", f"{PATH}?active=1"))[:2] == (None, "active")
    await api.delete("/v1/coupons/SALE")
    assert await listed("coupon=SALE") == [three, one]
    assert (await api.refused("GET", f"{PATH}?coupon=NONE"))[:2] == ("resource_missing", "coupon")
    assert (await api.refused("GET", f"{PATH}?coupon="))[:2] == ("parameter_invalid_empty", "coupon")
    assert (await api.refused("GET", f"{PATH}?starting_after=promo_x"))[:2] == ("resource_missing", "starting_after")


async def test_it_is_not_deleted_and_not_anothers(api: Api) -> None:
    await coupon(api)
    own = f"{PATH}/{(await made(api))['id']}"
    assert (await api.delete(own)).status == 404
    live, other = await api.issue(livemode=True), await api.issue(account="acct_other")
    for key in (live, other):
        for method in ("GET", "POST"):
            assert (await api.refused(method, own, status=404, key=key))[:2] == ("resource_missing", "id")
    assert "test mode" in (await api.refused("GET", own, status=404, key=live))[2]


@asynccontextmanager
async def keeping(api: Api) -> AsyncIterator[None]:
    """Somebody who does what is due."""
    stop = asyncio.Event()
    task = asyncio.create_task(scheduler.run(api.core, stop))
    yield
    stop.set()
    await task


async def active(api: Api) -> list[str]:
    return [one["code"] for one in (await api.get(f"{PATH}?active=true")).json["data"]]


async def test_its_time_is_over_when_the_scheduler_finds_it_so(api: Api) -> None:
    """Both the coupon and the code: what is due is made due by hand, as no clock here can be turned."""
    now = int(api.core.clock.now().timestamp())
    await coupon(api)
    await coupon(api, f"percent_off=10&id=LATE&redeem_by={now + 86400}")
    await made(api, f"coupon=SALE&code=Soon&expires_at={now + 3600}")
    await made(api, "coupon=LATE&code=With")
    await api.core.pool.execute("UPDATE projections.due SET try_at = 0")
    async with keeping(api):

        async def over() -> bool:
            return not (await api.get("/v1/coupons/LATE")).json["valid"] and await active(api) == []

        await until(over)
    events = [event for event in await api.events() if not event["type"].endswith(".created")]
    assert [(event["type"], event["data"]["object"]["code"]) for event in events] == [
        ("promotion_code.updated", "With")
    ]
    await made(api, "coupon=SALE&code=SOON")


async def test_codes_are_active_no_longer_than_their_coupon_is_valid(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(handlers, "CODES_AT_A_TIME", 1)
    for body in ("id=SALE", "id=GONE", "id=USED&max_redemptions=1"):
        await coupon(api, f"percent_off=10&{body}")
    for body in (
        "coupon=SALE&code=Stays",
        "coupon=GONE&code=A",
        "coupon=GONE&code=B&active=false",
        "coupon=GONE&code=C",
    ):
        await made(api, body)
    last = await made(api, "coupon=USED&code=D")
    async with keeping(api):
        await api.delete("/v1/coupons/GONE")
        await api.customer("coupon=USED")

        async def closed() -> bool:
            return await active(api) == ["Stays"]

        await until(closed)
    events = await api.events("promotion_code.updated")
    assert sorted(event["data"]["object"]["code"] for event in events) == ["A", "C", "D"]
    assert all(event["data"]["previous_attributes"] == {"active": True} for event in events)
    assert all(event["request"] is None for event in events), "the system did it"
    assert (await api.get(f"{PATH}/{last['id']}")).json == {**last, "active": False}
    await made(api, "coupon=SALE&code=a")


async def test_codes_of_a_coupon_that_was_made_anew_stay(api: Api) -> None:
    await coupon(api)
    await made(api, "coupon=SALE&code=Stays")
    await api.delete("/v1/coupons/SALE")
    await coupon(api)
    async with keeping(api):

        async def nothing_due() -> bool:
            return not await api.core.pool.fetchval("SELECT count(*) FROM projections.due")

        await until(nothing_due)
    assert await active(api) == ["Stays"]


@pytest.mark.parametrize("version", [None, "2025-08-27.basil"])
async def test_the_client_for_python_creates_reads_changes_and_lists_them(api: Api, version: str | None) -> None:
    def script(client: Any) -> None:
        codes = client.v1.promotion_codes
        client.v1.coupons.create({"percent_off": 25.5, "id": "SALE"})
        named = {"coupon": "SALE"} if version else {"promotion": {"type": "coupon", "coupon": "SALE"}}
        code = codes.create({**named, "code": "Summer", "restrictions": {"first_time_transaction": True}})
        assert type(code).__name__ == "PromotionCode"
        if version:
            assert (code.coupon.id, code.coupon.percent_off) == ("SALE", 25.5)
            assert "promotion" not in code
        else:
            assert code.promotion.coupon == "SALE"
            assert "coupon" not in code
        assert codes.retrieve(code.id) == code
        changed = codes.update(code.id, {"active": False, "metadata": {"a": "1"}})
        assert (changed.active, changed.metadata.to_dict()) == (False, {"a": "1"})
        assert [one.id for one in codes.list({"code": "SUMMER", "limit": 1}).auto_paging_iter()] == [code.id]

    options = {"stripe_version": version} if version else {}
    await run_script(api, script, **options)


@pytest.mark.parametrize(
    ("wrong", "status", "code", "param"),
    [
        (lambda c: c.v1.promotion_codes.retrieve("promo_x"), 404, "resource_missing", "id"),
        (lambda c: c.v1.promotion_codes.update("promo_x", {"active": False}), 404, "resource_missing", "id"),
        (lambda c: c.v1.promotion_codes.create({"promotion": {"type": "coupon", "coupon": "X"}}), 400,
         "resource_missing", "promotion[coupon]"),
        (lambda c: c.v1.promotion_codes.create({"coupon": "X"}), 400, "resource_missing", "coupon"),
        (lambda c: c.v1.promotion_codes.create({}), 400, "parameter_missing", "promotion"),
    ],
)  # fmt: skip
async def test_refusals_are_the_clients_own_errors(
    api: Api, wrong: Script, status: int, code: str | None, param: str | None
) -> None:
    with pytest.raises(stripe.InvalidRequestError) as raised:
        await run_script(api, wrong)
    error = raised.value.error
    assert error is not None
    assert (raised.value.http_status, error.code, error.param) == (status, code, param)
