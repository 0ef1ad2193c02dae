"""Where a customer is for tax: which address decides, and what is known of its IP address."""

import pytest
from hypothesis import given as for_all
from hypothesis import strategies as st

from events.countries import COUNTRIES
from events.customer import CUSTOMER, CustomerCreated, CustomerDeleted, DeleteCustomer, tax
from events.customer.tax import Location, SetTax, TaxSet, automatic_tax, location
from events.decider import Decider
from events.errors import Missing
from events.values import Address
from tests.spec import given

TAX = Decider("tax", tax.NONE, tax.decide, tax.evolve)
CREATED = CustomerCreated(id="cus_1", created=1, attributes={})
GERMANY, FRANCE, SPAIN = (Address(country=country) for country in ("DE", "FR", "ES"))
NOWHERE = Address(city="Atlantis", country="Atlantis")


def test_the_ip_address_is_kept_until_another_comes_or_none() -> None:
    state = given(TAX).when(SetTax(ip_address="203.0.113.7")).then(TaxSet(ip_address="203.0.113.7"))
    assert state.ip_address == "203.0.113.7"
    history = TaxSet(ip_address="203.0.113.7")
    given(TAX, history).when(SetTax(ip_address="2001:db8::1")).then(TaxSet(ip_address="2001:db8::1"))
    given(TAX, history).when(SetTax(ip_address="203.0.113.7")).nothing_happens()
    assert given(TAX, history).when(SetTax(ip_address=None)).then(TaxSet(ip_address=None)).ip_address is None
    given(TAX).when(SetTax(ip_address=None)).nothing_happens()


def test_it_is_forgotten_with_the_customer() -> None:
    history = (CREATED, TaxSet(ip_address="203.0.113.7"))
    given(CUSTOMER, *history).when(DeleteCustomer(id="cus_1", at=9)).then(
        TaxSet(ip_address=None), CustomerDeleted(id="cus_1")
    )
    given(CUSTOMER, CREATED).when(DeleteCustomer(id="cus_1", at=9)).then(CustomerDeleted(id="cus_1"))


def test_nobody_has_one_who_is_not_there() -> None:
    given(CUSTOMER).when(SetTax(ip_address="203.0.113.7")).refused(Missing, code="resource_missing", param="id")


def test_the_shipping_address_decides_first_then_the_billing_address_then_the_payment_method() -> None:
    assert location(GERMANY, FRANCE, SPAIN) == Location("DE", None, "shipping_destination")
    assert location(NOWHERE, FRANCE, SPAIN) == Location("FR", None, "billing_address")
    assert location(None, FRANCE, SPAIN) == Location("FR", None, "billing_address")
    assert location(None, NOWHERE, SPAIN) == Location("ES", None, "payment_method")
    assert location(None, None, None) is None
    assert location(NOWHERE, NOWHERE, NOWHERE) is None


@pytest.mark.parametrize(
    ("address", "found"),
    [
        (Address(country="DE"), ("DE", None)),
        (Address(country=" de "), ("DE", None)),
        (Address(country="Germany"), None),
        (Address(country="ZZ"), None),
        (Address(country="EL"), None),
        (Address(country=""), None),
        (Address(city="Berlin"), None),
        (Address(country="US"), None),
        (Address(country="US", state="CA"), None),
        (Address(country="US", postal_code="9410"), None),
        (Address(country="US", postal_code="94107", state=" CA "), ("US", "CA")),
        (Address(country="US", postal_code="94107-1234"), ("US", None)),
        (Address(country="US", postal_code="94107-123"), None),
        (Address(country="US", postal_code="\u0661\u0662\u0663\u0664\u0665"), None),
        (Address(country="CA"), None),
        (Address(country="CA", state="on"), ("CA", "on")),
        (Address(country="CA", state="TX"), None),
        (Address(country="CA", postal_code="K1A 0B1"), ("CA", None)),
        (Address(country="CA", postal_code="k1a0b1", state=""), ("CA", None)),
        (Address(country="CA", postal_code="12345"), None),
    ],
)
def test_an_address_decides_when_it_is_complete_enough(address: Address, found: tuple[str, str | None] | None) -> None:
    expected = Location(*found, "billing_address") if found else None
    assert location(None, address, None) == expected


def test_tax_is_reckoned_in_the_countries_it_is_collected_in() -> None:
    here = location(None, GERMANY, None)
    assert automatic_tax(here, {"DE", "FR"}) == "supported"
    assert automatic_tax(here, frozenset()) == "not_collecting"
    assert automatic_tax(None, {"DE"}) == "unrecognized_location"


TEXTS = st.none() | st.text(max_size=12) | st.sampled_from(["US", "CA", "DE", "94107", "ON"])
ADDRESSES = st.none() | st.builds(Address, country=TEXTS, postal_code=TEXTS, state=TEXTS)


@for_all(ADDRESSES, ADDRESSES, ADDRESSES)
def test_any_addresses_give_a_country_or_nothing(
    shipping: Address | None, billing: Address | None, payment: Address | None
) -> None:
    where = location(shipping, billing, payment)
    assert where is None or (where.country in COUNTRIES and where.state != "")
