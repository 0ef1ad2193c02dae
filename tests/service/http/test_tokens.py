"""Tokens over the wire: made, with publishable keys too, shown, used once; and numbers for tests, read as they are."""

import asyncio
from collections import Counter
from datetime import UTC, datetime
from typing import Any

import pytest
import stripe

from events import card_brands
from events.card import TRAITS, luhn
from events.countries import COUNTRIES
from events.errors import Declined
from service.commands import cards
from tests.service.http.objects import SOON, account, card, create_token
from tests.service.http.python_client import Script, run_script
from tests.service.serving import Answer, Api, Serve

PATH = "/v1/tokens"
CARD_KEYS = [
    "id", "object", "address_city", "address_country", "address_line1", "address_line1_check", "address_line2",
    "address_state", "address_zip", "address_zip_check", "brand", "country", "cvc_check", "dynamic_last4", "exp_month",
    "exp_year", "fingerprint", "funding", "last4", "metadata", "name", "networks", "regulated_status",
    "tokenization_method",
]  # fmt: skip


async def test_a_token_stands_for_a_card(api: Api) -> None:
    token = await create_token(api, card(name="Jenny", address_line1="Langstrasse 1", address_zip="8004"))
    assert list(token) == ["id", "object", "card", "client_ip", "created", "livemode", "type", "used"]
    assert token["id"].startswith("tok_")
    assert list(token["card"]) == CARD_KEYS
    assert token["card"]["id"].startswith("card_")
    shown = {key: token["card"][key] for key in CARD_KEYS if key not in ("id", "fingerprint") and token["card"][key]}
    assert shown == {
        "object": "card",
        "address_line1": "Langstrasse 1",
        "address_line1_check": "unchecked",
        "address_zip": "8004",
        "address_zip_check": "unchecked",
        "brand": "Visa",
        "country": "US",
        "cvc_check": "unchecked",
        "exp_month": 12,
        "exp_year": SOON,
        "funding": "credit",
        "last4": "4242",
        "name": "Jenny",
        "networks": {"preferred": None},
    }
    assert (token["type"], token["used"], token["livemode"]) == ("card", False, False)
    assert (await api.get(f"{PATH}/{token['id']}")).json == token
    assert (await api.get("/v1/events")).json["data"] == [], "nothing is published"


async def test_a_token_stands_for_a_bank_account(api: Api) -> None:
    token = await create_token(api, account(account_holder_name="Jenny", account_holder_type="individual"))
    assert token["id"].startswith("btok_")
    assert token["type"] == "bank_account"
    shown = token["bank_account"]
    assert {key: value for key, value in shown.items() if key not in ("id", "fingerprint")} == {
        "object": "bank_account",
        "account_holder_name": "Jenny",
        "account_holder_type": "individual",
        "account_type": None,
        "bank_name": "STRIPE TEST BANK",
        "country": "US",
        "currency": "usd",
        "last4": "6789",
        "routing_number": "110000000",
        "status": "new",
    }


@pytest.mark.parametrize(("body", "type"), [("cvc_update[cvc]=123", "cvc_update"), ("pii[id_number]=000000000", "pii")])
async def test_of_anything_else_nothing_is_kept(api: Api, body: str, type: str) -> None:
    token = await create_token(api, body)
    assert token == {**token, "type": type, "used": False}
    assert set(token) == {"id", "object", "client_ip", "created", "livemode", "type", "used"}
    code, param, _ = await api.refused("POST", "/v1/customers", f"source={token['id']}")
    assert (code, param) == (None, "source")


async def test_the_same_number_has_the_same_fingerprint_in_one_account_and_mode_only(api: Api) -> None:
    other = await api.issue(account="acct_other")

    async def fingerprint(body: str, **headers: Any) -> str:
        token = await create_token(api, body, **headers)
        print_: str = token[token["type"]]["fingerprint"]
        return print_

    same = await fingerprint(card())
    assert len(same) == 16
    assert same.isalnum()
    assert await fingerprint(card(number="4242 4242 4242 4242", exp_month=1, cvc="321")) == same
    assert await fingerprint(card("5555555555554444")) != same
    assert await fingerprint(card(), key=other) != same
    assert await fingerprint(account()) == await fingerprint(account(account_holder_name="Ada"))
    assert await fingerprint(account()) != await fingerprint(account("000222222227"))


async def test_a_publishable_key_makes_tokens_and_nothing_else(api: Api) -> None:
    key = await api.issue(key_type="publishable")
    token = await create_token(api, card(), key=key)
    for method, path in (("GET", f"{PATH}/{token['id']}"), ("POST", "/v1/customers"), ("POST", "/v1/payment_methods")):
        code, _, _ = await api.refused(method, path, status=403, key=key)
        assert code == "secret_key_required"
    assert (await api.get(f"{PATH}/{token['id']}")).json == token
    restricted = await api.issue(key_type="restricted", permissions=("customers:write",))
    assert (await api.post(PATH, card(), key=restricted)).status == 403
    assert (
        await api.post(PATH, card(), key=await api.issue(key_type="restricted", permissions=("tokens:write",)))
    ).status == 200


async def test_the_key_may_come_as_a_parameter(api: Api) -> None:
    key = await api.issue(key_type="publishable")

    async def ask(path: str, body: str) -> Answer:
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        async with api.session.post(api.url + path, data=body, headers=headers) as response:
            return Answer(response.status, response.headers, await response.read())

    assert (await ask(PATH, f"key={key}&{card()}")).status == 200
    assert (await ask(f"{PATH}?key={key}", card())).status == 200
    assert (await ask(PATH, f"key={api.key}&{card()}")).status == 200, "a secret one too"
    for body in (card(), f"key=&{card()}", f"key[x]={key}&{card()}"):
        assert (await ask(PATH, body)).status == 401, body
    unknown = await ask(PATH, f"key=pk_test_unknown_key_of_nobody&{card()}")
    assert unknown.status == 401
    assert "unknown_key" not in unknown.body.decode()
    assert (await ask("/v1/customers", f"key={key}")).status == 401, "nowhere else"
    assert (await create_token(api, f"key=whatever&{card()}"))["used"] is False, "the header goes before it"


async def test_with_a_live_key_numbers_are_sent_by_publishable_keys_alone(api: Api) -> None:
    secret, publishable = await api.issue(livemode=True), await api.issue(livemode=True, key_type="publishable")
    customer = await api.customer(key=secret)
    number = "4532015112830366"
    for path, body in (
        (PATH, card(number)),
        ("/v1/customers", card(number, prefix="source", object="card")),
        (f"/v1/customers/{customer['id']}", card(number)),
        (f"/v1/customers/{customer['id']}/sources", card(number)),
        (f"/v1/customers/{customer['id']}/cards", card(number)),
        ("/v1/payment_methods", f"type=card&{card(number)}"),
    ):
        code, _, message = await api.refused("POST", path, body, key=secret)
        assert (code, "generally unsafe" in message) == (None, True), path
    token = await create_token(api, card(number), key=publishable)
    assert token["livemode"] is True
    assert token["card"]["cvc_check"] == "unavailable", "no issuer is asked"
    source = await api.post(f"/v1/customers/{customer['id']}/sources", f"source={token['id']}", key=secret)
    assert (source.status, source.json["last4"]) == (200, "0366")
    for_tests = await api.post(PATH, card(), key=publishable)
    assert (for_tests.status, for_tests.error["decline_code"]) == (402, "live_mode_test_card")
    for name in ("tok_visa", "btok_us_verified"):
        body = f"source={name}"
        assert (await api.refused("POST", "/v1/customers", body, key=secret))[:2] == ("resource_missing", "source")
        assert (await api.refused("GET", f"{PATH}/{name}", key=secret, status=404))[0] == "resource_missing"
    assert (await api.refused("GET", "/v1/payment_methods/pm_card_visa", key=secret, status=404))[1] == "id"


async def test_a_token_of_the_other_mode_is_hinted_at(api: Api) -> None:
    token = await create_token(api)
    live = await api.issue(livemode=True)
    code, param, message = await api.refused("POST", "/v1/customers", f"source={token['id']}", key=live)
    assert (code, param) == ("resource_missing", "source")
    assert "a similar object exists in test mode" in message
    assert "similar" not in (await api.refused("POST", "/v1/customers", "source=tok_x", key=live))[2]


@pytest.mark.parametrize(
    ("body", "code", "param"),
    [
        ("", "parameter_missing", "card"),
        (f"{card()}&{account()}", "parameters_exclusive", "card"),
        ("account[business_type]=company", None, "account"),
        ("person[email]=a@b.co", None, "person"),
        ("card=card_1", None, "card"),
        (f"customer=cus_1&{card()}", None, "customer"),
        ("card[number]=4242424242424242", "parameter_missing", "card[exp_month]"),
        ("card[foo]=1", "parameter_unknown", "card[foo]"),
        ("card=", "parameter_invalid_empty", "card"),
        ("bank_account[country]=US", "parameter_missing", "bank_account[account_number]"),
        (account(routing_number="110000001"), "routing_number_invalid", "bank_account[routing_number]"),
        (account(routing_number="1100"), "routing_number_invalid", "bank_account[routing_number]"),
        (account("12"), "account_number_invalid", "bank_account[account_number]"),
        (account("x" * 9), "account_number_invalid", "bank_account[account_number]"),
        (account(country="XX"), None, "bank_account[country]"),
        (account(currency="eu"), None, "bank_account[currency]"),
        (account(account_holder_type="x"), None, "bank_account[account_holder_type]"),
        ("bank_account[country]=KE&bank_account[account_number]=12345678", "parameter_missing",
         "bank_account[currency]"),
        ("foo=1", "parameter_unknown", "foo"),
    ],
)  # fmt: skip
async def test_what_no_token_is_made_of(api: Api, body: str, code: str | None, param: str) -> None:
    assert (await api.refused("POST", PATH, body))[:2] == (code, param)


@pytest.mark.parametrize(
    ("wrong", "code", "param"),
    [
        ({"number": "4242424242424241"}, "incorrect_number", "number"),
        ({"number": "4242"}, "incorrect_number", "number"),
        ({"number": "not a number"}, "incorrect_number", "number"),
        ({"number": "42424242424242424242"}, "incorrect_number", "number"),
        ({"exp_month": 13}, "invalid_expiry_month", "exp_month"),
        ({"exp_month": 0}, "invalid_expiry_month", "exp_month"),
        ({"exp_month": "x"}, "invalid_expiry_month", "exp_month"),
        ({"exp_year": 1999}, "invalid_expiry_year", "exp_year"),
        ({"exp_year": SOON + 100}, "invalid_expiry_year", "exp_year"),
        ({"exp_year": "x"}, "invalid_expiry_year", "exp_year"),
        ({"cvc": "99"}, "invalid_cvc", "cvc"),
        ({"cvc": "1234"}, "invalid_cvc", "cvc"),
        ({"cvc": "abc"}, "invalid_cvc", "cvc"),
        ({"number": "378282246310005", "cvc": "123"}, "invalid_cvc", "cvc"),
    ],
)
async def test_a_card_that_cannot_be_is_a_card_error(api: Api, wrong: dict[str, Any], code: str, param: str) -> None:
    for path, body in (
        (PATH, card(**wrong)),
        ("/v1/payment_methods", f"type=card&{card(**wrong)}"),
        ("/v1/customers", card(**wrong, prefix="source", object="card")),
    ):
        answer = await api.post(path, body)
        assert (answer.status, answer.error["type"]) == (402, "card_error"), path
        assert (answer.error["code"], answer.error["param"]) == (code, param)
        assert "4242424242424" not in answer.body.decode()
    assert (await api.get("/v1/customers")).json["data"] == []


def test_a_card_is_good_through_the_end_of_its_month() -> None:
    now = datetime(2026, 11, 30, 23, 59, tzinfo=UTC)
    assert cards.expiry("11", "2026", now) == cards.expiry("11", "26", now) == (11, 2026)
    assert cards.expiry("01", "2027", now) == cards.expiry("1", "27", now) == (1, 2027)
    for month, year, code in (("10", "2026", "month"), ("12", "2025", "year"), ("1", "00", "year")):
        with pytest.raises(Declined) as raised:
            cards.expiry(month, year, now)
        assert raised.value.code == f"invalid_expiry_{code}"


@pytest.mark.parametrize(
    ("number", "brand"),
    [
        ("4242424242424242", "visa"),
        ("5555555555554444", "mastercard"),
        ("2223003122003222", "mastercard"),
        ("378282246310005", "amex"),
        ("6011111111111117", "discover"),
        ("6555900000604105", "discover"),
        ("3056930009020004", "diners"),
        ("36227206271667", "diners"),
        ("3566002020360505", "jcb"),
        ("6205500000000000004", "unionpay"),
        ("9999999999999995", "unknown"),
    ],
)
def test_a_brand_is_known_by_what_its_numbers_begin_with(number: str, brand: str) -> None:
    assert card_brands.brand_of(number) == brand


def test_every_number_for_tests_is_one_and_every_name_is_anothers() -> None:
    assert len(cards.BY_NUMBER) > 100
    for number, known in cards.BY_NUMBER.items():
        assert luhn(number), number
        assert known.country in COUNTRIES
        assert known.funding in ("credit", "debit", "prepaid")
        assert known.trait is None or known.trait in TRAITS
    for name in ("visa", "mastercard", "amex", "chargeDeclined", "visa_chargeDeclined", "chargeCustomerFail", "fr"):
        assert name in cards.BY_NAME


@pytest.mark.parametrize(
    ("name", "brand", "last4", "funding", "country"),
    [
        ("tok_visa", "Visa", "4242", "credit", "US"),
        ("tok_visa_debit", "Visa", "5556", "debit", "US"),
        ("tok_mastercard", "MasterCard", "4444", "credit", "US"),
        ("tok_mastercard_prepaid", "MasterCard", "5100", "prepaid", "US"),
        ("tok_amex", "American Express", "8431", "credit", "US"),
        ("tok_discover", "Discover", "1117", "credit", "US"),
        ("tok_diners", "Diners Club", "0004", "credit", "US"),
        ("tok_jcb", "JCB", "0505", "credit", "JP"),
        ("tok_unionpay", "UnionPay", "0005", "credit", "CN"),
        ("tok_de", "Visa", "0016", "credit", "DE"),
    ],
)
async def test_a_name_for_tests_is_a_fresh_card_at_each_use(
    api: Api, name: str, brand: str, last4: str, funding: str, country: str
) -> None:
    first, second = [(await api.get(f"{PATH}/{name}")).json for _ in range(2)]
    assert first["id"] != second["id"]
    shown = first["card"]
    assert (shown["brand"], shown["last4"], shown["funding"], shown["country"]) == (brand, last4, funding, country)
    now = datetime.now(UTC)
    assert (shown["exp_month"], shown["exp_year"]) == (now.month, now.year + 1)
    customer = await api.customer(f"source={first['id']}")
    assert customer["default_source"].startswith("card_")


async def test_of_twenty_uses_at_once_over_two_processes_exactly_one_succeeds(serve: Serve) -> None:
    one, other = await serve(), await serve()
    token = (await create_token(one))["id"]
    customer = (await one.customer())["id"]

    async def use(number: int) -> Answer:
        api = (one, other)[number % 2]
        match number % 4:
            case 0:
                return await api.post("/v1/customers", f"source={token}")
            case 1:
                return await api.post(f"/v1/customers/{customer}/sources", f"source={token}")
            case 2:
                return await api.post(f"/v1/customers/{customer}", f"source={token}")
            case _:
                return await api.post("/v1/payment_methods", f"type=card&card[token]={token}")

    answers = await asyncio.gather(*(use(number) for number in range(20)))
    refused = Counter((answer.status, answer.error["code"]) for answer in answers if answer.status != 200)
    assert refused == {(400, "token_already_used"): 19}
    assert (await other.get(f"{PATH}/{token}")).json["used"] is True
    rows = await one.core.pool.fetch("SELECT kind FROM projections.resource WHERE kind IN ('source', 'payment_method')")
    assert len(rows) == 1


async def test_who_asks_again_under_one_key_has_the_same_token(api: Api) -> None:
    first, again = [await api.post(PATH, card(), Idempotency_Key="k") for _ in range(2)]
    assert (again.body, again.headers["Idempotent-Replayed"]) == (first.body, "true")
    other = await api.post(PATH, card(cvc="124"), Idempotency_Key="k")
    assert (other.status, other.error["type"]) == (400, "idempotency_error"), "what is not kept counts"
    declined = [await api.post(PATH, card("4242424242424241"), Idempotency_Key="d") for _ in range(2)]
    assert [answer.status for answer in declined] == [402, 402]
    assert declined[0].body == declined[1].body


async def test_the_client_for_python_makes_and_reads_tokens(api: Api) -> None:
    def script(client: Any) -> None:
        made = client.v1.tokens.create(
            {"card": {"number": "4242424242424242", "exp_month": "12", "exp_year": str(SOON), "cvc": "123"}}
        )
        assert type(made).__name__ == "Token"
        assert type(made.card).__name__ == "Card"
        assert client.v1.tokens.retrieve(made.id) == made
        customer = client.v1.customers.create({"source": made.id})
        assert customer.default_source.startswith("card_")
        assert client.v1.tokens.retrieve(made.id).used
        bank = client.v1.tokens.create(
            {"bank_account": {"country": "US", "routing_number": "110000000", "account_number": "000123456789"}}
        )
        assert type(bank.bank_account).__name__ == "BankAccount"
        assert client.v1.tokens.create({"cvc_update": {"cvc": "123"}}).type == "cvc_update"

    await run_script(api, script)
    publishable = await api.issue(key_type="publishable")
    await run_script(api, lambda client: client.v1.tokens.create({"pii": {"id_number": "1"}}), key=publishable)


@pytest.mark.parametrize(
    ("wrong", "error", "status", "code", "param"),
    [
        (lambda c: c.v1.tokens.retrieve("tok_x"), stripe.InvalidRequestError, 404, "resource_missing", "id"),
        (lambda c: c.v1.tokens.create({}), stripe.InvalidRequestError, 400, "parameter_missing", "card"),
        (lambda c: c.v1.tokens.create({"card": {"number": "4242424242424241", "exp_month": "1", "exp_year": "2040"}}),
         stripe.CardError, 402, "incorrect_number", "number"),
        (lambda c: [c.v1.customers.create({"source": token})
                    for token in [c.v1.tokens.retrieve("tok_visa").id] for _ in "ab"],
         stripe.InvalidRequestError, 400, "token_already_used", "source"),
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
