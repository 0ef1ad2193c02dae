"""Cards and bank accounts: what is stored of them, without their numbers (PCI DSS).

A number is read from the request and gone after that (PCI DSS, requirement 3). What stays is its last four characters
and a fingerprint: the same for the same number within an account and mode, and useless to those without the master
key.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import NamedTuple

from events.errors import Declined
from events.values import Address

UNCHECKED = "unchecked"  # until the card is attached to a customer, and its issuer queried
PASSED, FAILED = "pass", "fail"
NOWHERE = Address()


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """The stored part of a card; without any attribute once it is erased.

    `trait` is the behaviour of a test number: a word of TRAITS, None for any other card.
    """

    address: Address = NOWHERE
    address_line1_check: str | None = None
    address_zip_check: str | None = None
    brand: str = "unknown"
    country: str | None = None
    cvc_check: str | None = None
    exp_month: int = 1
    exp_year: int = 1970
    fingerprint: str | None = None
    funding: str = "unknown"
    last4: str = ""
    name: str | None = None
    preferred_network: str | None = None
    trait: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BankAccount:
    """The stored part of a bank account; without any attribute once it is erased."""

    account_holder_name: str | None = None
    account_holder_type: str | None = None
    account_type: str | None = None
    bank_name: str | None = None
    country: str = ""
    currency: str = ""
    fingerprint: str | None = None
    last4: str = ""
    routing_number: str | None = None
    status: str = "new"


NO_CARD = Card()
NO_ACCOUNT = BankAccount()


class Trait(NamedTuple):
    """The behaviour of a test card when it is attached: declined with a code, or with failing checks."""

    message: str = ""
    code: str | None = None
    decline_code: str | None = None
    param: str | None = None
    fails: frozenset[str] = frozenset()
    unavailable: bool = False  # the issuer does not check addresses


_DECLINED = "Your card was declined."
TRAITS: Mapping[str, Trait] = MappingProxyType(
    {
        "generic_decline": Trait(_DECLINED, "card_declined", "generic_decline"),
        "insufficient_funds": Trait("Your card has insufficient funds.", "card_declined", "insufficient_funds"),
        "lost_card": Trait(_DECLINED, "card_declined", "lost_card"),
        "stolen_card": Trait(_DECLINED, "card_declined", "stolen_card"),
        "card_velocity_exceeded": Trait(
            "Your card was declined for making repeated attempts too frequently or exceeding its amount limit.",
            "card_declined",
            "card_velocity_exceeded",
        ),
        "expired_card": Trait("Your card has expired.", "expired_card", param="exp_month"),
        "incorrect_cvc": Trait("Your card's security code is incorrect.", "incorrect_cvc", param="cvc"),
        "processing_error": Trait(
            "An error occurred while processing your card. Try again in a little bit.", "processing_error"
        ),
        "cvc_fails": Trait(fails=frozenset({"cvc_check"})),
        "address_fails": Trait(fails=frozenset({"address_line1_check", "address_zip_check"})),
        "line1_fails": Trait(fails=frozenset({"address_line1_check"})),
        "zip_fails": Trait(fails=frozenset({"address_zip_check"})),
        "address_unavailable": Trait(unavailable=True),
    }
)
PLAIN = Trait()


def attached(card: Card) -> Card:
    """The card after the checks of its issuer, when it is attached to a customer. Raises Declined."""
    trait = TRAITS.get(card.trait or "", PLAIN)
    if trait.code is not None:
        raise Declined(trait.message, code=trait.code, param=trait.param, decline_code=trait.decline_code)
    return replace(
        card,
        address_line1_check=_result(card, "address_line1_check", trait),
        address_zip_check=_result(card, "address_zip_check", trait),
        cvc_check=_result(card, "cvc_check", trait),
    )


def _result(card: Card, check: str, trait: Trait) -> str | None:
    if getattr(card, check) != UNCHECKED:
        result: str | None = getattr(card, check)
        return result
    if trait.unavailable and check != "cvc_check":
        return "unavailable"
    return FAILED if check in trait.fails else PASSED


def luhn(digits: str) -> bool:
    """Whether the last digit of a card number is the right one for those before it (ISO/IEC 7812-1)."""
    total = 0
    for index, digit in enumerate(map(int, reversed(digits))):
        doubled = digit * 2 if index % 2 else digit
        total += doubled - 9 if doubled > 9 else doubled
    return total % 10 == 0
