"""Payment methods of every type: created of a card, a token, another type's details, or a test id."""

import pytest

from events.payment_method import TYPES
from projections.payment_methods import SHOWN
from service.http.params.payment_method import NEEDED
from tests.service.http.objects import SOON, account, card, create_token
from tests.service.http.payment_methods import CARD_KEYS, CUSTOMERS, KEYS, PATH, US_ACCOUNT, attached, listed, made
from tests.service.serving import Api


async def test_one_is_made_of_a_card(api: Api) -> None:
    billing = "billing_details[name]=Jenny&billing_details[address][city]=Bern&billing_details[email]=a@b.co"
    method = await made(api, f"type=card&{card()}&{billing}&metadata[tier]=gold&allow_redisplay=always")
    assert list(method) == KEYS
    assert list(method["card"]) == CARD_KEYS
    assert method["id"].startswith("pm_")
    assert {key: method["card"][key] for key in CARD_KEYS if key != "fingerprint"} == {
        "brand": "visa",
        "checks": {"address_line1_check": None, "address_postal_code_check": None, "cvc_check": "unchecked"},
        "country": "US",
        "display_brand": "visa",
        "exp_month": 12,
        "exp_year": SOON,
        "funding": "credit",
        "generated_from": None,
        "last4": "4242",
        "networks": {"available": ["visa"], "preferred": None},
        "regulated_status": None,
        "three_d_secure_usage": {"supported": True},
        "wallet": None,
    }
    assert method["billing_details"] == {
        "address": {
            "city": "Bern", "country": None, "line1": None, "line2": None, "postal_code": None, "state": None,
        },
        "email": "a@b.co",
        "name": "Jenny",
        "phone": None,
        "tax_id": None,
    }  # fmt: skip
    assert (method["customer"], method["allow_redisplay"], method["metadata"]) == (None, "always", {"tier": "gold"})
    assert (await api.get(f"{PATH}/{method['id']}")).json == method
    assert await api.events() == [], "nothing is published before it is attached"


async def test_one_is_made_of_a_token_which_is_used_up(api: Api) -> None:
    made_of = await create_token(api)
    method = await made(api, f"type=card&card[token]={made_of['id']}")
    assert method["card"]["fingerprint"] == made_of["card"]["fingerprint"]
    assert (await api.get(f"/v1/tokens/{made_of['id']}")).json["used"] is True
    for body, code in (
        (f"type=card&card[token]={made_of['id']}", "token_already_used"),
        ("type=card&card[token]=tok_x", "resource_missing"),
        ("type=card&card[token]=btok_us_verified", None),
    ):
        assert (await api.refused("POST", PATH, body))[:2] == (code, "card[token]")


async def test_the_same_number_has_the_same_fingerprint_everywhere(api: Api) -> None:
    customer = await api.customer("source=tok_visa")
    source = (await api.get(f"{CUSTOMERS}/{customer['id']}/sources/{customer['default_source']}")).json
    for method in (await made(api), await made(api, f"type=card&{card()}"), await attached(api, customer["id"])):
        assert method["card"]["fingerprint"] == source["fingerprint"]
    bank = await made(api, f"type=us_bank_account&{US_ACCOUNT}")
    assert bank["us_bank_account"]["fingerprint"] == (await create_token(api, account()))["bank_account"]["fingerprint"]


@pytest.mark.parametrize("type", sorted(set(TYPES) - NEEDED))
async def test_one_is_made_of_a_type_that_needs_nothing_more(api: Api, type: str) -> None:
    method = await made(api, f"type={type}")
    assert list(method) == sorted(method, key=lambda key: (key != "id", key != "object", key))
    expected = {**dict.fromkeys(SHOWN.get(type, ())), **({"funding": "card"} if type == "naver_pay" else {})}
    assert (method["type"], method[type]) == (type, expected)


@pytest.mark.parametrize(
    ("type", "sent", "shown"),
    [
        ("us_bank_account", {"account_number": "000123456789", "routing_number": "110000000",
                             "account_holder_type": "company"},
         {"last4": "6789", "routing_number": "110000000", "account_holder_type": "company", "account_type": "checking",
          "bank_name": "STRIPE TEST BANK"}),
        ("sepa_debit", {"iban": "DE89 3704 0044 0532 0130 00"},
         {"last4": "3000", "country": "DE", "bank_code": "37040044", "branch_code": None}),
        ("sepa_debit", {"iban": "FR1420041010050500013M02606"},
         {"last4": "2606", "country": "FR", "bank_code": "20041", "branch_code": "01005"}),
        ("sepa_debit", {"iban": "LU280019400644750000"}, {"last4": "0000", "country": "LU", "bank_code": None}),
        ("acss_debit", {"account_number": "000123456789", "institution_number": "000", "transit_number": "11000"},
         {"last4": "6789", "institution_number": "000", "transit_number": "11000"}),
        ("au_becs_debit", {"account_number": "000123456", "bsb_number": "000000"},
         {"last4": "3456", "bsb_number": "000000"}),
        ("bacs_debit", {"account_number": "00012345", "sort_code": "108800"}, {"last4": "2345", "sort_code": "108800"}),
        ("nz_bank_account", {"account_number": "0000010", "bank_code": "11", "branch_code": "0000", "suffix": "010"},
         {"last4": "0010", "bank_code": "11", "branch_code": "0000", "suffix": "010"}),
        ("payto", {"pay_id": "jenny@example.com"}, {"pay_id": "jenny@example.com"}),
        ("eps", {"bank": "erste_bank_und_sparkassen"}, {"bank": "erste_bank_und_sparkassen"}),
        ("fpx", {"bank": "maybank2u"}, {"bank": "maybank2u"}),
        ("ideal", {"bank": "ing"}, {"bank": "ing"}),
        ("p24", {"bank": "ing"}, {"bank": "ing"}),
        ("boleto", {"tax_id": "52998224725"}, {"tax_id": "52998224725"}),
        ("sofort", {"country": "DE"}, {"country": "DE"}),
        ("naver_pay", {"funding": "points"}, {"funding": "points"}),
        ("custom", {"type": "cpmt_1"}, {"type": "cpmt_1"}),
        ("klarna", {"dob][day": "1", "dob][month": "2", "dob][year": "1990"}, {"dob": None}),
    ],
)  # fmt: skip
async def test_of_other_types_it_is_kept_what_is_no_number(
    api: Api, type: str, sent: dict[str, str], shown: dict[str, str | None]
) -> None:
    body = "&".join(f"{type}[{name}]={value}" for name, value in sent.items())
    method = await made(api, f"type={type}&{body}")
    assert {name: method[type][name] for name in shown} == shown
    customer = (await api.customer())["id"]
    assert (await attached(api, customer, method["id"]))["customer"] == customer


@pytest.mark.parametrize(
    ("body", "code", "param"),
    [
        ("", "parameter_missing", "type"),
        ("type=x", None, "type"),
        ("type=card", "parameter_missing", "card"),
        ("type=card&card=", "parameter_invalid_empty", "card"),
        ("type=card&card=tok_visa", None, "card"),
        ("type=card&card[number]=4242424242424242", "parameter_missing", "card[exp_month]"),
        ("type=card&card[foo]=1", "parameter_unknown", "card[foo]"),
        ("type=card&card[token]=tok_visa&card[number]=4242424242424242", "parameters_exclusive", "card[number]"),
        ("type=card&card[token]=tok_visa&card[cvc]=123", "parameters_exclusive", "card[cvc]"),
        ("type=link&card[token]=tok_visa", None, "card"),
        ("type=sepa_debit", "parameter_missing", "sepa_debit"),
        ("type=custom", "parameter_missing", "custom"),
        ("type=sepa_debit&sepa_debit[iban]=DE89370400440532013001", "account_number_invalid", "sepa_debit[iban]"),
        ("type=us_bank_account&us_bank_account[account_number]=000123456789", "parameter_missing",
         "us_bank_account[routing_number]"),
        ("type=us_bank_account&us_bank_account[account_number]=1&us_bank_account[routing_number]=110000000",
         "account_number_invalid", "us_bank_account[account_number]"),
        ("type=us_bank_account&us_bank_account[account_number]=000123456789&us_bank_account[routing_number]=1",
         "routing_number_invalid", "us_bank_account[routing_number]"),
        ("type=acss_debit&acss_debit[account_number]=12345&acss_debit[institution_number]=x&acss_debit[transit_number]=11",
         None, "acss_debit[institution_number]"),
        ("type=ideal&ideal[bank]=x", None, "ideal[bank]"),
        ("type=link&billing_details[email]=x", "email_invalid", "billing_details[email]"),
        ("type=link&allow_redisplay=x", None, "allow_redisplay"),
        ("type=link&customer=cus_1", "parameter_unknown", "customer"),
    ],
)  # fmt: skip
async def test_what_no_payment_method_is_made_of(api: Api, body: str, code: str | None, param: str) -> None:
    assert (await api.refused("POST", PATH, body))[:2] == (code, param)
    assert await listed(api, PATH) == []


@pytest.mark.parametrize(
    ("name", "brand", "last4"),
    [
        ("pm_card_visa", "visa", "4242"),
        ("pm_card_mastercard", "mastercard", "4444"),
        ("pm_card_amex", "amex", "8431"),
        ("pm_card_chargeCustomerFail", "visa", "0341"),
        ("pm_card_threeDSecure2Required", "visa", "3220"),
        ("pm_card_gb_debit", "visa", "0005"),
    ],
)
async def test_a_name_for_tests_is_a_fresh_one_at_each_use(api: Api, name: str, brand: str, last4: str) -> None:
    customer = (await api.customer())["id"]
    first, second = [await attached(api, customer, name) for _ in range(2)]
    assert first["id"] != second["id"]
    assert (first["card"]["brand"], first["card"]["last4"]) == (brand, last4)
    shown = (await api.get(f"{PATH}/{name}")).json
    assert (await attached(api, customer, shown["id"]))["card"] == first["card"]


@pytest.mark.parametrize("name", ["pm_usBankAccount", "pm_usBankAccount_success", "pm_usBankAccount_noAccount"])
async def test_so_is_a_name_of_a_bank_account(api: Api, name: str) -> None:
    method = await attached(api, (await api.customer())["id"], name)
    assert (method["type"], method["us_bank_account"]["routing_number"]) == ("us_bank_account", "110000000")
