"""Coupons over the wire: what is shown of them, what changes them, what they may not be."""

import re
from datetime import timedelta
from typing import Any

import pytest
import stripe

from events.clock import FrozenClock
from tests.events.times import NOON
from tests.service.http.objects import create_coupon
from tests.service.http.python_client import Script, run_script
from tests.service.serving import Api, Serve

PATH = "/v1/coupons"
KEYS = [
    "id", "object", "amount_off", "created", "currency", "duration", "duration_in_months", "livemode",
    "max_redemptions", "metadata", "name", "percent_off", "redeem_by", "times_redeemed", "valid",
]  # fmt: skip


async def test_a_coupon_shows_these_keys_in_this_order(api: Api) -> None:
    shown = await create_coupon(api)
    assert list(shown) == KEYS
    assert re.fullmatch(r"[0-9A-Za-z]{8}", shown["id"])
    assert {key: shown[key] for key in KEYS if key not in ("id", "created")} == {
        "object": "coupon",
        "amount_off": None,
        "currency": None,
        "duration": "once",
        "duration_in_months": None,
        "livemode": False,
        "max_redemptions": None,
        "metadata": {},
        "name": None,
        "percent_off": 10,
        "redeem_by": None,
        "times_redeemed": 0,
        "valid": True,
    }
    assert (await api.get(f"{PATH}/{shown['id']}")).json == shown
    assert (await api.get(PATH)).json == {"object": "list", "data": [shown], "has_more": False, "url": PATH}
    [event] = await api.events("coupon.*")
    assert (event["type"], event["data"]) == ("coupon.created", {"object": shown})


async def test_a_coupon_is_created_with_everything(api: Api) -> None:
    body = (
        "id=SUMMER&amount_off=500&currency=USD&duration=repeating&duration_in_months=3&max_redemptions=2"
        "&redeem_by=99999999999&name=Summer&metadata[a]=1&currency_options[EUR][amount_off]=400"
        "&applies_to[products][0]=prod_1&expand[]=applies_to&expand[]=currency_options"
    )
    shown = await create_coupon(api, body)
    assert (shown["id"], shown["amount_off"], shown["currency"], shown["percent_off"]) == ("SUMMER", 500, "usd", None)
    assert (shown["duration"], shown["duration_in_months"]) == ("repeating", 3)
    assert (shown["max_redemptions"], shown["redeem_by"], shown["name"]) == (2, 99999999999, "Summer")
    assert shown["applies_to"] == {"products": ["prod_1"]}
    assert shown["currency_options"] == {"eur": {"amount_off": 400}}
    assert list(shown) == ["id", "object", *sorted(shown.keys() - {"id", "object"})]
    plain = {key: value for key, value in shown.items() if key in KEYS}
    assert (await api.get(f"{PATH}/SUMMER")).json == plain
    listed = (await api.get(f"{PATH}?expand[]=data.applies_to&expand[]=data.currency_options")).json["data"]
    assert listed == [shown]
    every = await create_coupon(api, "percent_off=1&expand[]=applies_to&expand[]=currency_options")
    assert every["currency_options"] == {}
    assert "applies_to" not in every, "it applies to everything"


@pytest.mark.parametrize(
    ("sent", "shown"),
    [("25.5", b"25.5"), ("25", b"25"), ("25.0", b"25"), ("100.00", b"100"), ("0.01", b"0.01"), ("33.33", b"33.33"),
     ("12.50", b"12.5")],
)  # fmt: skip
async def test_a_percentage_is_shown_as_the_number_it_is(api: Api, sent: str, shown: bytes) -> None:
    answer = await api.post(PATH, f"percent_off={sent}")
    assert b'\n  "percent_off": ' + shown + b"," in answer.body


async def test_ids_may_be_of_any_printable_characters_and_are_case_sensitive(api: Api) -> None:
    for id in ("sale", "SALE", "50% off!", "été/2026", "x" * 255):
        answer = await create_coupon(api, f"percent_off=10&id={id.replace('%', '%25')}")
        assert answer["id"] == id
        address = id.replace("%", "%25").replace("/", "%2F").replace(" ", "%20")
        assert (await api.get(f"{PATH}/{address}")).json == answer
    assert len((await api.get(PATH)).json["data"]) == 5


IMPOSSIBLE = [
    ("", "parameter_missing", "percent_off"),
    ("percent_off=10&amount_off=5&currency=usd", "parameters_exclusive", "percent_off"),
    ("amount_off=5", "parameter_missing", "currency"),
    ("amount_off=0&currency=usd", None, "amount_off"),
    ("amount_off=5.5&currency=usd", "parameter_invalid_integer", "amount_off"),
    ("amount_off=5&currency=dollar", None, "currency"),
    ("amount_off=5&currency=", "parameter_invalid_empty", "currency"),
    ("percent_off=0", None, "percent_off"),
    ("percent_off=0.00", None, "percent_off"),
    ("percent_off=100.01", None, "percent_off"),
    ("percent_off=-5", None, "percent_off"),
    ("percent_off=1e1", None, "percent_off"),
    ("percent_off=", None, "percent_off"),
    ("percent_off=10&duration=always", None, "duration"),
    ("percent_off=10&duration=repeating", "parameter_missing", "duration_in_months"),
    ("percent_off=10&duration=repeating&duration_in_months=0", None, "duration_in_months"),
    ("percent_off=10&duration_in_months=3", None, "duration_in_months"),
    ("percent_off=10&id=", "parameter_invalid_empty", "id"),
    ("percent_off=10&id=%0A", "parameter_invalid_string_blank", "id"),
    ("percent_off=10&id=a%0Ab", None, "id"),
    ("percent_off=10&id=..", None, "id"),
    ("percent_off=10&id=" + "x" * 256, None, "id"),
    ("percent_off=10&name=" + "x" * 41, None, "name"),
    ("percent_off=10&max_redemptions=0", None, "max_redemptions"),
    ("percent_off=10&redeem_by=soon", "parameter_invalid_integer", "redeem_by"),
    ("percent_off=10&redeem_by=1", None, "redeem_by"),
    ("percent_off=10&currency_options[eur][amount_off]=1", None, "currency_options"),
    ("amount_off=5&currency=usd&currency_options[euro][amount_off]=1", None, "currency_options"),
    ("amount_off=5&currency=usd&currency_options[eur][amount_off]=0", None, "currency_options[eur][amount_off]"),
    ("amount_off=5&currency=usd&currency_options[eur]=1", None, "currency_options[eur]"),
    ("amount_off=5&currency=usd&currency_options[eur][x]=1", "parameter_unknown", "currency_options[eur][x]"),
    ("percent_off=10&applies_to[prices][]=x", "parameter_unknown", "applies_to[prices]"),
    ("percent_off=10&metadata[a][b]=1", None, "metadata[a]"),
    ("percent_off=10&valid=true", "parameter_unknown", "valid"),
    ("percent_off=10&expand[]=name", None, "expand"),
]


async def test_a_coupon_that_cannot_be_is_refused(api: Api) -> None:
    for body, code, param in IMPOSSIBLE:
        assert (await api.refused("POST", PATH, body))[:2] == (code, param), body
    assert (await api.get(PATH)).json["data"] == []
    assert await api.events("coupon.*") == []


async def test_an_id_is_taken_once_in_an_account_and_mode(api: Api) -> None:
    await create_coupon(api, "percent_off=10&id=SALE")
    assert (await api.refused("POST", PATH, "percent_off=20&id=SALE"))[:2] == ("resource_already_exists", "id")
    other, live = await api.issue(account="acct_other"), await api.issue(livemode=True)
    for number, key in enumerate((other, live)):
        assert (await create_coupon(api, f"percent_off={30 + number}&id=SALE", key=key))["percent_off"] == 30 + number
    assert (await api.get(f"{PATH}/SALE")).json["percent_off"] == 10
    assert (await api.get(f"{PATH}/SALE", key=other)).json["percent_off"] == 30
    assert (await api.get(f"{PATH}/SALE", key=live)).json["livemode"] is True


async def test_only_its_name_metadata_and_currency_options_change(api: Api) -> None:
    before = await create_coupon(api, "amount_off=5&currency=usd&id=SALE&metadata[a]=1&name=Old")
    own = f"{PATH}/SALE"
    body = "name=New&metadata[a]=&metadata[b]=2&currency_options[eur][amount_off]=4&expand[]=currency_options"
    shown = (await api.post(own, body)).json
    assert shown == {
        **before,
        "name": "New",
        "metadata": {"b": "2"},
        "currency_options": {"eur": {"amount_off": 4}},
    }
    assert (await api.post(own, "name=")).json["name"] is None
    assert (await api.post(own, "name=&metadata[b]=2")).status == 200
    for body in ("percent_off=5", "amount_off=4", "duration=forever", "id=x", "redeem_by=99999999999"):
        assert (await api.refused("POST", own, body))[0] == "parameter_unknown"
    first, second, third = await api.events("coupon.*")
    assert (first["type"], second["type"], third["type"]) == ("coupon.created", "coupon.updated", "coupon.updated")
    assert second["data"]["previous_attributes"] == {"metadata": {"a": "1", "b": None}, "name": "Old"}
    assert third["data"]["previous_attributes"] == {"name": "New"}


async def test_a_deleted_coupon_is_gone_and_its_id_is_free_again(api: Api) -> None:
    await create_coupon(api, "percent_off=10&id=SALE&name=First&max_redemptions=1")
    await api.customer("coupon=SALE")
    await create_coupon(api, "percent_off=10&id=OTHER")
    own = f"{PATH}/SALE"
    deleted = await api.delete(own)
    assert (deleted.status, deleted.json) == (200, {"id": "SALE", "object": "coupon", "deleted": True})
    for method in ("GET", "POST", "DELETE"):
        assert await api.refused(method, own, status=404) == ("resource_missing", "id", "No such coupon: 'SALE'")
    assert [one["id"] for one in (await api.get(PATH)).json["data"]] == ["OTHER"]
    event = (await api.events("coupon.*"))[-1]
    assert (event["type"], event["data"]["object"]["name"]) == ("coupon.deleted", "First")
    assert (await api.refused("POST", "/v1/customers", "coupon=SALE"))[:2] == ("resource_missing", "coupon")
    again = await create_coupon(api, "percent_off=20&id=SALE")
    assert (again["times_redeemed"], again["name"], again["valid"], again["max_redemptions"]) == (0, None, True, None)
    assert (await api.get(own)).json == again
    assert [one["id"] for one in (await api.get(PATH)).json["data"]] == ["SALE", "OTHER"], "the newest first"
    assert (await api.customer("coupon=SALE"))["discount"]["source"]["coupon"] == "SALE"


async def test_its_last_moment_is_in_the_future_by_the_services_clock(serve: Serve) -> None:
    api = await serve(clock=FrozenClock(NOON))
    now = int(NOON.timestamp())
    assert (await api.refused("POST", PATH, f"percent_off=10&redeem_by={now}"))[:2] == (None, "redeem_by")
    await create_coupon(api, f"percent_off=10&redeem_by={now + 1}&id=SALE")
    later = await serve(clock=FrozenClock(NOON + timedelta(seconds=2)))
    assert (await later.refused("POST", "/v1/customers", "coupon=SALE"))[:2] == ("coupon_expired", "coupon")


async def test_pages_of_coupons_turn_and_are_narrowed_by_creation(api: Api) -> None:
    for name in "abcd":
        await create_coupon(api, f"percent_off=10&id={name}")

    async def page(query: str) -> tuple[str, bool]:
        shown = (await api.get(f"{PATH}?{query}")).json
        return "".join(item["id"] for item in shown["data"]), shown["has_more"]

    assert await page("limit=3") == ("dcb", True)
    assert await page("limit=3&starting_after=b") == ("a", False)
    assert await page("limit=1&ending_before=b") == ("c", True)
    assert await page("created[lt]=1000") == ("", False)
    assert (await api.get(f"{PATH}?limit=1&expand[]=total_count")).json["total_count"] == 4
    assert await api.refused("GET", f"{PATH}?starting_after=x") == (
        "resource_missing", "starting_after", "No such coupon: 'x'",
    )  # fmt: skip


async def test_a_creation_under_one_key_is_made_once(api: Api) -> None:
    first = await api.post(PATH, "percent_off=10&id=SALE", Idempotency_Key="k")
    again = await api.post(PATH, "percent_off=10&id=SALE", Idempotency_Key="k")
    assert again.body == first.body
    refused = await api.post(PATH, "percent_off=10&id=SALE", Idempotency_Key="l")
    assert (refused.status, refused.error["code"]) == (400, "resource_already_exists")


async def test_a_restricted_key_needs_the_right(api: Api) -> None:
    reads = await api.issue(key_type="restricted", permissions=("coupons:read",))
    assert (await api.get(PATH, key=reads)).status == 200
    await api.refused("POST", PATH, "percent_off=10", status=403, key=reads)


@pytest.mark.parametrize("version", [None, "2025-08-27.basil"])
async def test_the_client_for_python_creates_reads_changes_lists_and_deletes_them(
    api: Api, version: str | None
) -> None:
    def script(client: Any) -> None:
        coupons = client.v1.coupons
        coupon = coupons.create({"percent_off": 25.5, "duration": "repeating", "duration_in_months": 3, "id": "SALE"})
        assert type(coupon).__name__ == "Coupon"
        assert (coupon.percent_off, coupon.duration_in_months, coupon.valid) == (25.5, 3, True)
        assert coupons.retrieve("SALE") == coupon
        changed = coupons.update("SALE", {"name": "Summer", "metadata": {"a": "1"}})
        assert (changed.name, changed.metadata.to_dict()) == ("Summer", {"a": "1"})
        coupons.create({"amount_off": 500, "currency": "usd", "applies_to": {"products": ["prod_1"]}})
        assert len(list(coupons.list({"limit": 1}).auto_paging_iter())) == 2
        gone = coupons.delete("SALE")
        assert (gone.id, gone.deleted) == ("SALE", True)
        with pytest.raises(stripe.InvalidRequestError, match="No such coupon"):
            coupons.retrieve("SALE")

    options = {"stripe_version": version} if version else {}
    await run_script(api, script, **options)


@pytest.mark.parametrize(
    ("wrong", "status", "code", "param"),
    [
        (lambda c: c.v1.coupons.retrieve("X"), 404, "resource_missing", "id"),
        (lambda c: c.v1.coupons.update("X", {"name": "x"}), 404, "resource_missing", "id"),
        (lambda c: c.v1.coupons.delete("X"), 404, "resource_missing", "id"),
        (lambda c: c.v1.coupons.create({}), 400, "parameter_missing", "percent_off"),
        (lambda c: [c.v1.coupons.create({"id": "X", "percent_off": n}) for n in (1, 2)], 400,
         "resource_already_exists", "id"),
        (lambda c: c.v1.coupons.create({"percent_off": 101}), 400, None, "percent_off"),
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
