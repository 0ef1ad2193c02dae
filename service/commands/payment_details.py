"""Parsing payment method details: only what may be stored of each type is taken; full numbers are discarded."""

import re
from collections.abc import Mapping
from typing import Any

from stdnum import iban

from events.errors import Refusal
from projections.payment_methods import SHOWN
from service.commands import cards
from service.commands.caller import Caller

# Where the bank and its branch stand in an IBAN of each country (IBAN registry); elsewhere they are unknown.
BANKS: Mapping[str, tuple[slice, slice | None]] = {
    "AT": (slice(4, 9), None),
    "BE": (slice(4, 7), None),
    "CH": (slice(4, 9), None),
    "DE": (slice(4, 12), None),
    "ES": (slice(4, 8), slice(8, 12)),
    "FR": (slice(4, 9), slice(9, 14)),
    "GB": (slice(4, 8), slice(8, 14)),
    "IT": (slice(5, 10), slice(10, 15)),
    "NL": (slice(4, 8), None),
    "PT": (slice(4, 8), slice(8, 12)),
}
# The country of types whose accounts are in one, and the parts of a number that identify an account.
ACCOUNTS: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "acss_debit": ("CA", ("institution_number", "transit_number")),
    "au_becs_debit": ("AU", ("bsb_number",)),
    "bacs_debit": ("GB", ("sort_code",)),
    "nz_bank_account": ("NZ", ("bank_code", "branch_code", "suffix")),
    "payto": ("AU", ("bsb_number",)),
    "us_bank_account": ("US", ("routing_number",)),
}
REQUIRED: Mapping[str, tuple[str, ...]] = {
    "bacs_debit": ("account_number", "sort_code"),
    "us_bank_account": ("account_number", "routing_number"),
}
DEFAULTS: Mapping[str, Mapping[str, str]] = {
    "naver_pay": {"funding": "card"},
    "us_bank_account": {"account_type": "checking"},
}


def read(caller: Caller, type: str, sent: Mapping[str, Any]) -> dict[str, str | None]:
    """The stored details: all attributes that the type shows, except the date of birth."""
    for name in REQUIRED.get(type, ()):
        if name not in sent:
            param = f"{type}[{name}]"
            raise Refusal(f"Missing required param: {param}.", code="parameter_missing", param=param)
    details = {**DEFAULTS.get(type, {}), **{name: sent[name] for name in _kept(type) if name in sent}}
    if type == "sepa_debit":
        return {**details, **_iban(caller, sent["iban"])}
    if "account_number" in sent:
        details |= _account(caller, type, sent)
    return details


def _kept(type: str) -> list[str]:
    """What is kept as it was sent: all that is shown of the type, but when somebody was born."""
    return [name for name in SHOWN.get(type, ()) if name != "dob"]


def _account(caller: Caller, type: str, sent: Mapping[str, str]) -> dict[str, str]:
    country, parts = ACCOUNTS[type]
    number = cards.account_number(sent["account_number"], country, f"{type}[account_number]")
    if country == "US":
        cards.routing_number(sent["routing_number"], country, f"{type}[routing_number]")
    for part in parts:
        if part in sent and not re.fullmatch("[0-9 -]{2,9}", sent[part]):
            raise Refusal("The number of a bank or branch must consist of digits.", param=f"{type}[{part}]")
    branch = "-".join(sent.get(part, "") for part in parts)
    kept = {"fingerprint": cards.fingerprint(caller, "bank account", country, branch, number), "last4": number[-4:]}
    if (name := cards.bank_name(caller)) is not None:
        kept["bank_name"] = name
    return {name: value for name, value in kept.items() if name in SHOWN[type]}


def _iban(caller: Caller, given: str) -> dict[str, str | None]:
    if not iban.is_valid(given, check_country=False):
        raise Refusal("The IBAN you provided is invalid.", code="account_number_invalid", param="sepa_debit[iban]")
    number = iban.compact(given)
    country = number[:2]
    bank, branch = BANKS.get(country, (None, None))
    return {
        "bank_code": number[bank] if bank is not None else None,
        "branch_code": number[branch] if branch is not None else None,
        "country": country,
        "fingerprint": cards.fingerprint(caller, "bank account", country, "", number),
        "last4": number[-4:],
    }
