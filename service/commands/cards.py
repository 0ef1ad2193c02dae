"""Parsing of cards and bank accounts: numbers are validated, fingerprinted and discarded here (PCI DSS).

In test mode the test numbers of the API reference behave as described there, and each has names (`visa` in `tok_visa`
and `pm_card_visa`) of which every use makes a new card.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from importlib import resources
from typing import NamedTuple

from events import card, ids
from events.card import UNCHECKED, luhn
from events.card_brands import brand_of
from events.countries import COUNTRIES
from events.currencies import CURRENCIES
from events.errors import Declined, Refusal
from events.values import Address
from service.commands.caller import Caller

NUMBER = re.compile(r"[0-9]{12,19}")
SEPARATORS = str.maketrans("", "", " -")
YEARS_AHEAD_MAX = 50
FINGERPRINT_LETTERS = 16
TEST_BANK = "STRIPE TEST BANK"

# Default currency of bank accounts.
CURRENCY_OF: Mapping[str, str] = dict.fromkeys(
    ("AT", "BE", "CY", "DE", "EE", "ES", "FI", "FR", "GR", "HR", "IE", "IT", "LT", "LU", "LV", "MT", "NL", "PT", "SI",
     "SK"), "eur",
) | {
    "AU": "aud", "BR": "brl", "CA": "cad", "CH": "chf", "CZ": "czk", "DK": "dkk", "GB": "gbp", "HK": "hkd", "HU": "huf",
    "IN": "inr", "JP": "jpy", "MX": "mxn", "MY": "myr", "NO": "nok", "NZ": "nzd", "PL": "pln", "RO": "ron", "SE": "sek",
    "SG": "sgd", "TH": "thb", "US": "usd",
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class NewCard:
    """Details of a card as they were sent; its repr shows none of them."""

    number: str
    exp_month: str
    exp_year: str
    cvc: str | None = None
    address: Address = card.NOWHERE
    name: str | None = None
    preferred_network: str | None = None


@dataclass(frozen=True, slots=True)
class NewExpiry:
    """Expiry of a card as it was sent; None for a part that is not changed."""

    month: str | None = None
    year: str | None = None

    @property
    def given(self) -> bool:
        """Whether either part was sent."""
        return (self.month, self.year) != (None, None)


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class NewBankAccount:
    """Details of a bank account as they were sent; its repr shows none of them."""

    account_number: str
    country: str
    account_holder_name: str | None = None
    account_holder_type: str | None = None
    account_type: str | None = None
    currency: str | None = None
    routing_number: str | None = None


class ForTests(NamedTuple):
    """A test number: its card, and how it behaves."""

    number: str
    funding: str
    country: str
    trait: str | None


class BankForTests(NamedTuple):
    """A test account of a US bank."""

    account_number: str
    status: str


def _cards_for_tests() -> tuple[Mapping[str, ForTests], Mapping[str, ForTests]]:
    by_number: dict[str, ForTests] = {}
    by_name: dict[str, ForTests] = {}
    for line in resources.files("service.commands").joinpath("cards_for_tests.txt").read_text("ascii").splitlines():
        number, names, funding, country, trait = line.split()
        known = ForTests(number, funding, country, None if trait == "-" else trait)
        by_number[number] = known
        by_name.update((name, known) for name in names.split(",") if name != "-")
    return by_number, by_name


BY_NUMBER, BY_NAME = _cards_for_tests()
BANKS: Mapping[str, BankForTests] = {
    "us": BankForTests("000123456789", "new"),
    "us_verified": BankForTests("000123456789", "verified"),
    "us_verified_accountClosed": BankForTests("000111111113", "verified"),
    "us_verified_debitNotAuthorized": BankForTests("000333333335", "verified"),
    "us_verified_insufficientFunds": BankForTests("000222222227", "verified"),
    "us_verified_invalidCurrency": BankForTests("000444444440", "verified"),
    "us_verified_noAccount": BankForTests("000111111116", "verified"),
}
ROUTING_FOR_TESTS = "110000000"


def read_card(caller: Caller, given: NewCard) -> card.Card:
    """The stored part of a card. Raises Declined for an invalid card, Refusal if its number may not be sent."""
    if caller.livemode and caller.key_type != "publishable":
        raise Refusal(
            "Sending credit card numbers directly to the API with a secret key is generally unsafe. Make a token of "
            "them with a publishable key, where they are typed, and send that."
        )
    number = given.number.translate(SEPARATORS)
    if not NUMBER.fullmatch(number) or not luhn(number):
        raise Declined("Your card number is incorrect.", code="incorrect_number", param="number")
    brand, known = brand_of(number), BY_NUMBER.get(number)
    if caller.livemode and known is not None:
        raise Declined(
            "Your card was declined. Your request was in live mode, but used a known test card.",
            code="card_declined",
            decline_code="live_mode_test_card",
        )
    if given.cvc is not None:
        cvc_ok(given.cvc, brand)
    month, year = expiry(given.exp_month, given.exp_year, caller.clock.now())
    read = card.Card(
        brand=brand,
        country=known.country if known is not None else None,
        cvc_check=None if given.cvc is None else _unchecked(caller.livemode),
        exp_month=month,
        exp_year=year,
        fingerprint=fingerprint(caller, "card", number),
        funding=known.funding if known is not None else "unknown",
        last4=number[-4:],
        name=given.name,
        preferred_network=given.preferred_network,
        trait=known.trait if known is not None else None,
    )
    return _checked(read, given.address, livemode=caller.livemode)


def of_name(caller: Caller, name: str) -> card.Card | None:
    """A new card of a test name, which expires in a year; None in live mode and for an unknown name."""
    known = BY_NAME.get(name)
    if known is None or caller.livemode:
        return None
    now = caller.clock.now()
    cvc = "123" if known.trait == "cvc_fails" else None
    fresh = read_card(
        caller, NewCard(number=known.number, cvc=cvc, exp_month=str(now.month), exp_year=str(now.year + 1))
    )
    if known.trait is not None and known.trait.endswith(("_fails", "_unavailable")) and cvc is None:
        address = Address(line1="510 Townsend St", postal_code="94103")
        fresh = _checked(fresh, address)
    return fresh


def read_bank_account(caller: Caller, given: NewBankAccount, param: str) -> card.BankAccount:
    """The stored part of a bank account; `param` is the parameter it was sent as. Raises Refusal."""
    country = given.country.upper()
    if country not in COUNTRIES:
        raise Refusal("Invalid country: it must be a two-letter ISO 3166-1 code.", param=f"{param}[country]")
    number = account_number(given.account_number, country, f"{param}[account_number]")
    routing = routing_number(given.routing_number, country, f"{param}[routing_number]")
    currency = (given.currency or CURRENCY_OF.get(country, "")).lower()
    if currency not in CURRENCIES:
        name = f"{param}[currency]"
        if given.currency is not None:
            raise Refusal("Invalid currency: it must be a three-letter ISO 4217 code.", param=name)
        raise Refusal(f"Missing required param: {name}.", code="parameter_missing", param=name)
    return card.BankAccount(
        account_holder_name=given.account_holder_name,
        account_holder_type=given.account_holder_type,
        account_type=given.account_type,
        bank_name=bank_name(caller),
        country=country,
        currency=currency,
        fingerprint=fingerprint(caller, "bank account", country, routing or "", number),
        last4=number[-4:],
        routing_number=routing,
    )


def bank_of_name(caller: Caller, name: str) -> card.BankAccount | None:
    """A new bank account of a test name; None in live mode and for an unknown name."""
    known = BANKS.get(name)
    if known is None or caller.livemode:
        return None
    return card.BankAccount(
        account_holder_name="Jane Austen",
        account_holder_type="individual",
        bank_name=TEST_BANK,
        country="US",
        currency="usd",
        fingerprint=fingerprint(caller, "bank account", "US", ROUTING_FOR_TESTS, known.account_number),
        last4=known.account_number[-4:],
        routing_number=ROUTING_FOR_TESTS,
        status=known.status,
    )


def bank_name(caller: Caller) -> str | None:
    """The name of the bank: one for all accounts in test mode; unknown in live mode, where no register is queried."""
    return None if caller.livemode else TEST_BANK


def fingerprint(caller: Caller, kind: str, *number: str) -> str:
    """The fingerprint of a number within the account and mode: sixteen letters and digits."""
    mode = "live" if caller.livemode else "test"
    digest = caller.master_keys.digest("fingerprint", "\n".join((kind, caller.account, mode, *number)).encode())
    return digest[:FINGERPRINT_LETTERS].translate(ids.LETTERS).decode()


def expiry(month: str, year: str, now: datetime) -> tuple[int, int]:
    """The month and year of expiry, which must not be past. Raises Declined."""
    number = int(year) if re.fullmatch("[0-9]{2}|[0-9]{4}", year) else 0
    if len(year) == 2:
        number += now.year // 100 * 100
    if not now.year <= number <= now.year + YEARS_AHEAD_MAX:
        raise Declined(
            "Your card's expiration year is invalid.",
            code="invalid_expiry_year",
            param="exp_year",
        )
    if not re.fullmatch("0?[1-9]|1[0-2]", month) or (number, int(month)) < (now.year, now.month):
        raise Declined(
            "Your card's expiration month is invalid.",
            code="invalid_expiry_month",
            param="exp_month",
        )
    return int(month), number


def new_expiry(caller: Caller, known: card.Card, new: NewExpiry) -> tuple[int, int]:
    """The month and year of expiry after an update of either. Raises Declined."""
    return expiry(new.month or str(known.exp_month), new.year or str(known.exp_year), caller.clock.now())


def account_number(given: str, country: str, param: str) -> str:
    """An account number without separators; it must be longer than the stored part. Raises Refusal."""
    number = given.translate(SEPARATORS)
    if not re.fullmatch("[0-9]{5,17}" if country == "US" else "[0-9A-Za-z]{5,34}", number):
        raise Refusal("The bank account number is invalid.", code="account_number_invalid", param=param)
    return number.upper()


def routing_number(given: str | None, country: str, param: str) -> str | None:
    """A routing number; required and validated for US accounts. Raises Refusal."""
    if country != "US":
        return given
    digits = [int(digit) for digit in given or "" if digit in "0123456789"]
    if len(digits) != 9 or len(given or "") != 9:
        raise Refusal("Routing number must have 9 digits.", code="routing_number_invalid", param=param)
    if sum(digit * weight for digit, weight in zip(digits, (3, 7, 1) * 3, strict=True)) % 10:
        raise Refusal("Invalid routing number.", code="routing_number_invalid", param=param)
    return given


def cvc_ok(cvc: str, brand: str | None = None) -> str:
    """A security code of a valid form. Raises Declined."""
    digits = {"amex": "[0-9]{4}", None: "[0-9]{3,4}"}.get(brand, "[0-9]{3}")
    if not re.fullmatch(digits, cvc):
        raise Declined("Your card's security code is invalid.", code="invalid_cvc", param="cvc")
    return cvc


def _checked(read: card.Card, address: Address, *, livemode: bool = False) -> card.Card:
    """The card with the checks of its address pending."""
    return replace(
        read,
        address=address,
        address_line1_check=None if not address.line1 else _unchecked(livemode),
        address_zip_check=None if not address.postal_code else _unchecked(livemode),
    )


def _unchecked(livemode: bool) -> str:
    """State of a check before the issuer was queried; in live mode no issuer is queried."""
    return "unavailable" if livemode else UNCHECKED
