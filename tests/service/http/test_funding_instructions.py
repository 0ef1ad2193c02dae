"""Funding instructions over the wire: the virtual account of a customer's bank transfers, and what is refused."""

import asyncio

import pytest
import stripe
from stdnum import iban

from projections import funding_instructions
from tests.service.serving import Api, Serve

TYPES = {"eur": "eu_bank_transfer", "gbp": "gb_bank_transfer", "jpy": "jp_bank_transfer", "mxn": "mx_bank_transfer",
         "usd": "us_bank_transfer"}  # fmt: skip
EU = "&bank_transfer[eu_bank_transfer][country]="


def asking(currency: str, more: str = "") -> str:
    return f"funding_type=bank_transfer&currency={currency}&bank_transfer[type]={TYPES[currency]}{more}"


def path(customer: str) -> str:
    return f"/v1/customers/{customer}/funding_instructions"


@pytest.mark.parametrize(
    ("currency", "more", "country", "addresses"),
    [
        ("eur", f"{EU}DE", "DE", ["iban"]),
        ("eur", f"{EU}nl&bank_transfer[requested_address_types][]=iban", "NL", ["iban"]),
        ("gbp", "", "GB", ["sort_code"]),
        ("jpy", "", "JP", ["zengin"]),
        ("mxn", "", "MX", ["spei"]),
        ("usd", "", "US", ["aba", "swift"]),
    ],
)
async def test_a_customer_has_an_account_for_each_currency(
    api: Api, currency: str, more: str, country: str, addresses: list[str]
) -> None:
    customer = (await api.customer())["id"]
    shown = (await api.post(path(customer), asking(currency, more))).json
    transfer = shown.pop("bank_transfer")
    assert shown == {
        "object": "funding_instructions", "currency": currency, "funding_type": "bank_transfer", "livemode": False,
    }  # fmt: skip
    assert (transfer["country"], transfer["type"]) == (country, TYPES[currency])
    assert [address["type"] for address in transfer["financial_addresses"]] == addresses
    for address in transfer["financial_addresses"]:
        assert address[address["type"]]["account_holder_name"]
        assert address["supported_networks"]


async def test_the_account_is_the_same_each_time_and_each_customers_own(serve: Serve) -> None:
    one, two = await serve(), await serve()
    customer, other = [(await one.customer())["id"] for _ in range(2)]
    answers = await asyncio.gather(
        *(api.post(path(customer), asking("eur", f"{EU}FR")) for api in (one, two, one, two)),
    )
    bodies = {answer.body for answer in answers}
    assert len(bodies) == 1
    assert (await two.post(path(customer), asking("eur", f"{EU}FR"))).body in bodies
    assert (await two.post(path(customer), asking("eur", f"{EU}IE"))).body not in bodies
    assert (await two.post(path(other), asking("eur", f"{EU}FR"))).body not in bodies
    events = (await one.get("/v1/events")).json["data"]
    assert {event["type"] for event in events} == {"customer.created"}, "nobody is notified of it"
    assert (await one.delete(f"/v1/customers/{customer}")).status == 200, "no cash balance was used"
    assert (await one.post(path(customer), asking("usd"))).status == 404


@pytest.mark.parametrize(
    ("body", "code", "param"),
    [
        ("", "parameter_missing", "bank_transfer"),
        (asking("usd").replace("usd", "chf"), None, "currency"),
        (asking("usd").replace("us_bank", "gb_bank"), None, "bank_transfer[type]"),
        (asking("usd").replace("us_bank", "xx_bank"), None, "bank_transfer[type]"),
        (asking("usd").replace("funding_type=bank_transfer", "funding_type=card"), None, "funding_type"),
        (asking("eur"), "parameter_missing", "bank_transfer[eu_bank_transfer]"),
        (asking("eur", f"{EU}US"), None, "bank_transfer[eu_bank_transfer][country]"),
        (asking("eur", EU), "parameter_invalid_empty", "bank_transfer[eu_bank_transfer][country]"),
        (asking("usd", f"{EU}DE"), None, "bank_transfer[eu_bank_transfer]"),
        (
            asking("usd", "&bank_transfer[requested_address_types][]=iban"),
            None,
            "bank_transfer[requested_address_types]",
        ),
        (asking("usd", "&expand[]=customer"), None, "expand"),
        (asking("usd", "&foo=1"), "parameter_unknown", "foo"),
    ],
)
async def test_what_does_not_go_together_is_refused(api: Api, body: str, code: str | None, param: str) -> None:
    customer = (await api.customer())["id"]
    assert (await api.refused("POST", path(customer), body))[:2] == (code, param)


async def test_no_account_is_made_up_in_live_mode(api: Api) -> None:
    key = await api.issue(livemode=True)
    customer = (await api.customer(key=key))["id"]
    assert (await api.refused("POST", path(customer), asking("usd"), key=key))[0] == "livemode_mismatch"
    assert (await api.post(path("cus_none"), asking("usd"))).status == 404


async def test_the_official_client_asks_for_them(api: Api) -> None:
    customer = (await api.customer())["id"]
    client = stripe.StripeClient(api.key, base_addresses={"api": api.url}, max_network_retries=0)

    def story() -> stripe.FundingInstructions:
        return client.v1.customers.funding_instructions.create(
            customer,
            {
                "bank_transfer": {"type": "eu_bank_transfer", "eu_bank_transfer": {"country": "BE"}},
                "currency": "eur",
                "funding_type": "bank_transfer",
            },
        )

    made = await asyncio.to_thread(story)
    assert type(made).__name__ == "FundingInstructions"
    account = made.bank_transfer.financial_addresses[0].iban
    assert account is not None
    assert account.iban.startswith("BE")


@pytest.mark.parametrize("number", ["123456789012", "000000000000", "999999999999", "506070809010"])
def test_numbers_are_well_formed(number: str) -> None:
    for country in funding_instructions.COUNTRIES["eu_bank_transfer"]:
        made = funding_instructions.iban(country, number)
        assert iban.is_valid(made), made
    clabe = funding_instructions.clabe(number)
    assert len(clabe) == 18
    assert sum(int(digit) * (3, 7, 1)[index % 3] % 10 for index, digit in enumerate(clabe[:17])) % 10 == (
        -int(clabe[17]) % 10
    )
