"""Refused cards and bank accounts: declined, missing, invalid, or more than a customer may have."""

import asyncio

import pytest
import stripe

from tests.service.http.objects import card, stored_rows
from tests.service.http.python_client import Script, run_script
from tests.service.http.sources import PATH, added
from tests.service.serving import Api


@pytest.mark.parametrize(
    ("name", "code", "decline_code"),
    [
        ("chargeDeclined", "card_declined", "generic_decline"),
        ("visa_chargeDeclined", "card_declined", "generic_decline"),
        ("chargeDeclinedInsufficientFunds", "card_declined", "insufficient_funds"),
        ("chargeDeclinedLostCard", "card_declined", "lost_card"),
        ("chargeDeclinedStolenCard", "card_declined", "stolen_card"),
        ("chargeDeclinedVelocityLimitExceeded", "card_declined", "card_velocity_exceeded"),
        ("chargeDeclinedExpiredCard", "expired_card", None),
        ("chargeDeclinedIncorrectCvc", "incorrect_cvc", None),
        ("chargeDeclinedProcessingError", "processing_error", None),
    ],
)
async def test_a_card_that_is_declined_leaves_nothing_behind(
    api: Api, name: str, code: str, decline_code: str | None
) -> None:
    made = (await api.get(f"/v1/tokens/tok_{name}")).json["id"]
    customer = await api.customer("source=tok_visa")
    before = await stored_rows(api)
    for path in (PATH, f"{PATH}/{customer['id']}", f"{PATH}/{customer['id']}/sources"):
        for source in (made, f"tok_{name}"):
            answer = await api.post(path, f"source={source}")
            assert (answer.status, answer.error["type"], answer.error["code"]) == (402, "card_error", code)
            assert answer.error.get("decline_code") == decline_code
    assert await stored_rows(api) == before
    assert (await api.get(f"/v1/tokens/{made}")).json["used"] is False, "and may be tried again"


async def test_one_that_is_declined_later_attaches(api: Api) -> None:
    for body in ("source=tok_chargeCustomerFail", card("4000000000000341", prefix="source", object="card")):
        assert (await api.customer(body))["default_source"].startswith("card_")


async def test_checks_that_fail_are_shown(api: Api) -> None:
    id = (await api.customer())["id"]

    async def checks(name: str) -> list[str | None]:
        shown = await added(api, id, f"source=tok_{name}")
        return [shown[key] for key in ("cvc_check", "address_line1_check", "address_zip_check")]

    assert await checks("visa") == [None, None, None]
    assert await checks("cvcCheckFail") == ["fail", None, None]
    assert await checks("avsFail") == [None, "fail", "fail"]
    assert await checks("avsLine1Fail") == [None, "fail", "pass"]
    assert await checks("avsZipFail") == [None, "pass", "fail"]
    assert await checks("avsUnchecked") == [None, "unavailable", "unavailable"]


async def test_what_is_not_there_is_missing_by_its_name(api: Api) -> None:
    customer, other = await api.customer("source=tok_visa"), await api.customer("source=tok_visa")
    id, anothers = customer["id"], other["default_source"]
    for source, object in (("card_x", "card"), ("ba_x", "bank account"), ("x", "source"), (anothers, "card")):
        for method, end, body in (("GET", "", ""), ("POST", "", "name=x"), ("DELETE", "", ""),
                                  ("POST", "/verify", "amounts[]=1")):  # fmt: skip
            refusal = await api.refused(method, f"{PATH}/{id}/sources/{source}{end}", body, status=404)
            assert refusal == ("resource_missing", "id", f"Customer {id} does not have {object} with ID {source}")
    wrong = f"{PATH}/{id}/bank_accounts/{customer['default_source']}"
    assert "does not have bank account" in (await api.refused("GET", wrong, status=404))[2]
    for method, path in (
        ("GET", "sources"),
        ("POST", "sources"),
        ("GET", "sources/card_x"),
        ("DELETE", "cards/card_x"),
    ):
        refusal = await api.refused(method, f"{PATH}/cus_x/{path}", "source=tok_visa", status=404)
        assert refusal[:2] == ("resource_missing", "id")
    key = await api.issue(account="acct_other")
    assert (await api.refused("GET", f"{PATH}/{id}/sources", key=key, status=404))[0] == "resource_missing"


@pytest.mark.parametrize(
    ("body", "code", "param"),
    [
        ("source=tok_x", "resource_missing", "source"),
        ("source=card_x", "resource_missing", "source"),
        ("source=src_x", "resource_missing", "source"),
        ("source=pm_card_visa", "resource_missing", "source"),
        ("source=", "parameter_invalid_empty", "source"),
        ("source[number]=4242424242424242", None, "source"),
        ("source[object]=source", None, "source"),
        ("source[object]=card&source[exp_month]=1", "parameter_missing", "source[number]"),
        ("source[object]=card&source[foo]=1", "parameter_unknown", "source[foo]"),
        ("source[object]=bank_account", "parameter_missing", "source[account_number]"),
        ("source[]=tok_visa", None, "source"),
    ],
)
async def test_what_is_no_source_is_refused_and_leaves_nothing(
    api: Api, body: str, code: str | None, param: str
) -> None:
    id = (await api.customer())["id"]
    before = await stored_rows(api)
    for path in (PATH, f"{PATH}/{id}", f"{PATH}/{id}/sources", f"{PATH}/{id}/cards"):
        assert (await api.refused("POST", path, body))[:2] == (code, param), path
    assert await stored_rows(api) == before


async def test_one_name_for_it_at_a_time(api: Api) -> None:
    id = (await api.customer())["id"]
    for path in (f"{PATH}/{id}", f"{PATH}/{id}/sources"):
        for body, param in (
            ("source=tok_visa&card=tok_visa", "card"),
            ("bank_account=btok_us&card=tok_visa", "bank_account"),
        ):
            assert (await api.refused("POST", path, body))[:2] == ("parameters_exclusive", param)
    assert (await api.refused("POST", f"{PATH}/{id}/sources"))[:2] == ("parameter_missing", "source")
    for body in ("card=tok_visa", "bank_account=btok_us", "default_source=card_1"):
        assert (await api.refused("POST", PATH, body))[0] == "parameter_unknown"


async def test_a_month_that_is_over_is_no_expiry(api: Api) -> None:
    customer = await api.customer("source=tok_visa")
    path = f"{PATH}/{customer['id']}/sources/{customer['default_source']}"
    for body, code, param in (
        ("exp_year=1999", "invalid_expiry_year", "exp_year"),
        ("exp_month=13", "invalid_expiry_month", "exp_month"),
        ("exp_month=x", "invalid_expiry_month", "exp_month"),
    ):
        answer = await api.post(path, body)
        assert (answer.status, answer.error["type"]) == (402, "card_error")
        assert (answer.error["code"], answer.error["param"]) == (code, param)
    bank = (await added(api, customer["id"], "source=btok_us"))["id"]
    assert (await api.refused("POST", f"{PATH}/{customer['id']}/sources/{bank}", "name=x"))[1] == "name"


async def test_a_customer_has_five_hundred_at_most(api: Api) -> None:
    id = (await api.customer())["id"]
    answers = []
    for count in (200, 200, 102):  # at once, and no more than one key may
        answers += await asyncio.gather(*(api.post(f"{PATH}/{id}/sources", "source=tok_visa") for _ in range(count)))
    refused = [answer.error["code"] for answer in answers if answer.status != 200]
    assert refused == ["customer_max_payment_methods"] * 2
    assert (await api.update(id, "source=tok_visa"))["default_source"], "one that replaces another is allowed"
    assert (await api.get(f"{PATH}/{id}/sources?expand[]=total_count")).json["total_count"] == 500


@pytest.mark.parametrize(
    ("wrong", "error", "status", "code", "param"),
    [
        (lambda c: c.v1.customers.create({"source": "tok_chargeDeclined"}), stripe.CardError, 402, "card_declined",
         None),
        (lambda c: c.v1.customers.create({"source": "tok_x"}), stripe.InvalidRequestError, 400, "resource_missing",
         "source"),
        (lambda c: c.v1.customers.payment_sources.retrieve(c.v1.customers.create({}).id, "card_x"),
         stripe.InvalidRequestError, 404, "resource_missing", "id"),
        (lambda c: c.v1.customers.payment_sources.create("cus_x", {"source": "tok_visa"}), stripe.InvalidRequestError,
         404, "resource_missing", "id"),
        (lambda c: c.v1.customers.update(c.v1.customers.create({}).id, {"default_source": "card_x"}),
         stripe.InvalidRequestError, 400, "resource_missing", "default_source"),
    ],
)  # fmt: skip
async def test_refusals_are_the_clients_own_errors(
    api: Api, wrong: Script, error: type[stripe.StripeError], status: int, code: str | None, param: str | None
) -> None:
    with pytest.raises(error) as raised:
        await run_script(api, wrong)
    assert raised.value.http_status == status
    body = raised.value.error
    assert body is not None
    assert (body.code, body.param) == (code, param)
