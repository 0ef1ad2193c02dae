"""Where the customer is for tax, and the IP address that is known of it.

Addresses locate a customer, and so does its payment method. An IP address is stored and shown, but locates nobody:
whose it is would take a register of networks, and Rollbook has none.
"""

import re
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Annotated, NamedTuple

from events.countries import COUNTRIES
from events.personal import PERSONAL
from events.values import Address

UNRECOGNIZED = "unrecognized_location"
US_ZIP = re.compile(r"\d{5}(-\d{4})?", re.ASCII)
CA_POSTAL_CODE = re.compile(r"[A-Z]\d[A-Z] ?\d[A-Z]\d", re.ASCII)
CA_PROVINCES = frozenset(["AB", "BC", "MB", "NB", "NL", "NS", "NT", "NU", "ON", "PE", "QC", "SK", "YT"])


@dataclass(frozen=True, slots=True, kw_only=True)
class SetTax:
    """Remember the IP address that the customer comes from, or forget it."""

    ip_address: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class TaxSet:
    """This is the customer's IP address now."""

    ip_address: Annotated[str | None, PERSONAL] = None


Command = SetTax
Event = TaxSet
EVENT_TYPES: dict[str, type] = {"customer.tax_set": TaxSet}


@dataclass(frozen=True, slots=True, kw_only=True)
class Tax:
    """The tax details of a customer."""

    ip_address: str | None = None


NONE = Tax()


def decide(state: Tax, command: Command) -> list[Event]:
    """Decide the events of `command`; no events if there is nothing to change."""
    return [] if command.ip_address == state.ip_address else [TaxSet(ip_address=command.ip_address)]


def evolve(state: Tax, event: Event) -> Tax:
    """Fold one event in."""
    return Tax(ip_address=event.ip_address)


def end(state: Tax, at: int) -> list[Event]:
    """What ends with the customer: its address is forgotten."""
    return decide(state, SetTax(ip_address=None))


class Location(NamedTuple):
    """A location that tax can be computed for, and its source."""

    country: str
    state: str | None
    source: str


def location(shipping: Address | None, billing: Address | None, payment: Address | None) -> Location | None:
    """The location of the customer: its shipping address, else its own, else that of its payment method."""
    addresses = {"shipping_destination": shipping, "billing_address": billing, "payment_method": payment}
    for source, address in addresses.items():
        if address is not None and _enough(address):
            return Location(_letters(address.country), (address.state or "").strip() or None, source)
    return None


def automatic_tax(where: Location | None, collecting: AbstractSet[str]) -> str:
    """The automatic tax status of a location: supported in the countries that tax is collected in."""
    if where is None:
        return UNRECOGNIZED
    return "supported" if where.country in collecting else "not_collecting"


def _enough(address: Address) -> bool:
    """Whether an address is a tax location: by its country; in the United States by a ZIP code besides, in Canada by a
    postal code or a province.
    """
    country, postal_code = _letters(address.country), _letters(address.postal_code)
    match country:
        case "US":
            return US_ZIP.fullmatch(postal_code) is not None
        case "CA":
            return CA_POSTAL_CODE.fullmatch(postal_code) is not None or _letters(address.state) in CA_PROVINCES
        case _:
            return country in COUNTRIES


def _letters(given: str | None) -> str:
    return (given or "").strip().upper()
