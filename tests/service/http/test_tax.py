"""`tax` of customers over the wire: where they are, whether tax is reckoned there, and their IP address."""

from typing import Any

import pytest

from projections import tax as shown_tax
from tests.service.serving import Api, Serve


async def tax(api: Api, id: str) -> Any:
    return (await api.get(f"/v1/customers/{id}?expand[]=tax")).json["tax"]


async def test_tax_is_shown_when_asked_for(api: Api) -> None:
    customer = await api.customer("tax[ip_address]=203.0.113.7&address[country]=DE&expand[]=tax")
    assert customer["tax"] == {
        "automatic_tax": "not_collecting",
        "ip_address": "203.0.113.7",
        "location": {"country": "DE", "source": "billing_address", "state": None},
        "provider": "stripe",
    }
    assert list(customer) == ["id", "object", *sorted(customer.keys() - {"id", "object"})]
    assert await tax(api, customer["id"]) == customer["tax"]
    assert "tax" not in (await api.get(f"/v1/customers/{customer['id']}")).json
    [listed] = (await api.get("/v1/customers?expand[]=data.tax")).json["data"]
    assert listed["tax"] == customer["tax"]
    nowhere = await api.customer("expand[]=tax")
    assert nowhere["tax"] == {
        "automatic_tax": "unrecognized_location",
        "ip_address": None,
        "location": None,
        "provider": "stripe",
    }


async def test_the_shipping_address_comes_first(api: Api) -> None:
    shipping = "shipping[name]=Ada&shipping[address][country]=US&shipping[address][postal_code]=94107"
    customer = await api.customer(f"{shipping}&shipping[address][state]=CA&address[country]=DE&expand[]=tax")
    assert customer["tax"]["location"] == {"country": "US", "source": "shipping_destination", "state": "CA"}


async def test_tax_is_supported_in_the_countries_that_collect(serve: Serve) -> None:
    api = await serve(tax_countries="de, FR")
    for country, expected in (("DE", "supported"), ("FR", "supported"), ("ES", "not_collecting")):
        customer = await api.customer(f"address[country]={country}&expand[]=tax")
        assert customer["tax"]["automatic_tax"] == expected


async def test_the_ip_address_is_changed_and_cleared_without_an_event(api: Api) -> None:
    id = (await api.customer("tax[ip_address]=203.0.113.7"))["id"]
    assert (await api.update(id, "tax[ip_address]=2001:db8::1&expand[]=tax"))["tax"]["ip_address"] == "2001:db8::1"
    assert (await api.update(id, "tax[validate_location]=auto&expand[]=tax"))["tax"]["ip_address"] == "2001:db8::1"
    assert (await api.update(id, "tax[ip_address]=&expand[]=tax"))["tax"]["ip_address"] is None
    assert [event["type"] for event in await api.events()] == ["customer.created"]


@pytest.mark.parametrize(
    ("body", "code", "param"),
    [
        ("tax[ip_address]=1.2.3", None, "tax[ip_address]"),
        ("tax[ip_address]=1.2.3.256", None, "tax[ip_address]"),
        ("tax[ip_address]=fe80::1%25eth0", None, "tax[ip_address]"),
        ("tax[ip_address]=here", None, "tax[ip_address]"),
        ("tax[validate_location]=never", None, "tax[validate_location]"),
        ("tax[validate_location]=", "parameter_invalid_empty", "tax[validate_location]"),
        ("tax[country]=DE", "parameter_unknown", "tax[country]"),
        ("tax=DE", None, "tax"),
        ("tax=", "parameter_invalid_empty", "tax"),
        ("tax[validate_location]=immediately", "customer_tax_location_invalid", "tax[validate_location]"),
    ],
)
async def test_what_is_nothing_for_tax_is_refused(api: Api, body: str, code: str | None, param: str) -> None:
    assert (await api.refused("POST", "/v1/customers", body))[:2] == (code, param)
    assert (await api.get("/v1/customers")).json["data"] == []
    id = (await api.customer())["id"]
    assert (await api.refused("POST", f"/v1/customers/{id}", body))[:2] == (code, param)


async def test_validating_by_itself_is_for_updates(api: Api) -> None:
    refused = await api.refused("POST", "/v1/customers", "tax[validate_location]=auto")
    assert refused[:2] == (None, "tax[validate_location]")
    id = (await api.customer())["id"]
    assert (await api.post(f"/v1/customers/{id}", "tax[validate_location]=auto")).status == 200


async def test_a_location_is_recognised_immediately_with_all_that_the_request_brings_or_nothing_is_stored(
    api: Api,
) -> None:
    now = "tax[validate_location]=immediately"
    id = (await api.customer(f"{now}&address[country]=DE"))["id"]
    for address in ("address[country]=Germany", "address=", "address[country]=US"):
        refused = await api.refused("POST", f"/v1/customers/{id}", f"{address}&{now}&tax[ip_address]=203.0.113.7")
        assert refused[:2] == ("customer_tax_location_invalid", "tax[validate_location]")
    assert (await tax(api, id))["location"]["country"] == "DE"
    assert (await tax(api, id))["ip_address"] is None
    await api.update(id, "address=")
    shown = await api.update(id, f"{now}&address[country]=US&address[postal_code]=94107-1234&expand[]=tax")
    assert shown["tax"]["location"]["country"] == "US"
    refused = await api.refused("POST", f"/v1/customers/{id}", f"{now}&address[country]=CA")
    assert refused[0] == "customer_tax_location_invalid"
    await api.update(id, f"{now}&address[country]=CA&address[state]=QC")


# What customers pay with says where they are, as far as it says: its own address, in the country that issued it.
CUSTOMER = {
    "address": None,
    "shipping": None,
    "default_source": None,
    "invoice_settings": {"default_payment_method": None},
}
NO_ADDRESS = dict.fromkeys(("city", "country", "line1", "line2", "postal_code", "state"))
PAYMENTS = [
    ({"object": "payment_method", "type": "card", "card": {"country": "DE"}}, NO_ADDRESS, ("DE", None)),
    ({"object": "payment_method", "type": "card", "card": {"country": "US"}}, NO_ADDRESS, None),
    (
        {"object": "payment_method", "type": "card", "card": {"country": "US"}},
        {**NO_ADDRESS, "postal_code": "94107", "state": "CA"},
        ("US", "CA"),
    ),
    ({"object": "payment_method", "type": "card", "card": {"country": "US"}}, {"country": "FR"}, ("FR", None)),
    ({"object": "payment_method", "type": "link", "link": {"email": None}}, NO_ADDRESS, None),
    ({"object": "card", "country": "DE", "address_country": None}, None, ("DE", None)),
    ({"object": "card", "country": "DE", "address_country": "US", "address_zip": "94107"}, None, ("US", None)),
    ({"object": "bank_account", "country": "DE"}, None, ("DE", None)),
]


@pytest.mark.parametrize(("payment", "address", "found"), PAYMENTS)
def test_the_payment_method_decides_where_a_customer_is(
    payment: dict[str, Any], address: dict[str, Any] | None, found: tuple[str, str | None] | None
) -> None:
    payment = payment if address is None else {**payment, "billing_details": {"address": address}}
    shown = shown_tax.render(CUSTOMER, None, payment, {"DE"})
    where = None if found is None else {"country": found[0], "source": "payment_method", "state": found[1]}
    assert shown["location"] == where
    here = shown_tax.render({**CUSTOMER, "address": {**NO_ADDRESS, "country": "ES"}}, None, payment, {"DE"})
    assert here["location"] == {"country": "ES", "source": "billing_address", "state": None}


def test_the_default_payment_method_comes_before_the_default_source() -> None:
    both = {**CUSTOMER, "default_source": "card_1", "invoice_settings": {"default_payment_method": "pm_1"}}
    assert shown_tax.way_to_pay(both) == ("payment_method", "pm_1")
    assert shown_tax.way_to_pay({**CUSTOMER, "default_source": "card_1"}) == ("source", "card_1")
    assert shown_tax.way_to_pay(CUSTOMER) is None
