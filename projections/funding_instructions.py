"""Funding instructions as the API shows them: the virtual bank account that a customer's transfers go to.

The account is of test mode: its numbers are well formed, with check digits that are right, at a bank that is none. All
of them are made of the one number that the log keeps, so that a customer is shown the same ones each time.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from events.customer.cash_balance import TRANSFERS

KIND = "funding_instructions"
HOLDER = "Rollbook"
BANK = "Rollbook Test Bank"
# Type of transfer -> the types of address that may be asked for; none of the United States'.
REQUESTABLE: Mapping[str, Sequence[str]] = {
    "eu_bank_transfer": ("iban",),
    "gb_bank_transfer": ("sort_code",),
    "jp_bank_transfer": ("zengin",),
    "mx_bank_transfer": ("spei",),
    "us_bank_transfer": (),
}
# Where the accounts of a type of transfer are; those of the European Union where the caller says.
COUNTRIES: Mapping[str, Sequence[str]] = {
    "eu_bank_transfer": ("BE", "DE", "ES", "FR", "IE", "NL"),
    "gb_bank_transfer": ("GB",),
    "jp_bank_transfer": ("JP",),
    "mx_bank_transfer": ("MX",),
    "us_bank_transfer": ("US",),
}
# Country -> the letters and digits of an IBAN before the account's number, and how many digits that has (ISO 13616).
_IBANS: Mapping[str, tuple[str, int]] = {
    "BE": ("000", 9),
    "DE": ("00000000", 10),
    "ES": ("0000000000", 10),
    "FR": ("0000000000", 13),
    "IE": ("ROLL000000", 8),
    "NL": ("ROLL", 10),
}
_CLABE_WEIGHTS = (3, 7, 1)


def render(currency: str, country: str, number: str, livemode: bool) -> dict[str, Any]:
    """Where transfers of a currency go (API reference, the funding instructions object)."""
    return {
        "object": KIND,
        "bank_transfer": {
            "country": country,
            "financial_addresses": _ADDRESSES[currency](country, number),
            "type": TRANSFERS[currency],
        },
        "currency": currency,
        "funding_type": "bank_transfer",
        "livemode": livemode,
    }


def iban(country: str, number: str) -> str:
    """An IBAN of that country, which ends in the last digits of `number`, its check digits right (ISO 7064, 97-10)."""
    bank, digits = _IBANS[country]
    account = bank + number[-digits:].zfill(digits)
    if country == "BE":  # has check digits of its own at the end
        first = bank + number[-7:]
        account = first + f"{int(first) % 97 or 97:02}"
    if country == "ES":  # and Spain before the account's number
        account = bank[:8] + _spanish_check("00" + bank[:8]) + _spanish_check(number[-10:]) + number[-10:]
    if country == "FR":
        account = bank + number[-11:].zfill(11)
        account += f"{97 - int(account + '00') % 97:02}"
    remainder = int("".join(str(int(letter, 36)) for letter in f"{account}{country}00")) % 97
    return f"{country}{98 - remainder:02}{account}"


def clabe(number: str) -> str:
    """A CLABE at a bank that is none: bank and city codes, the account, and its check digit."""
    digits = "000000" + number[-11:].zfill(11)
    weighted = sum(int(digit) * _CLABE_WEIGHTS[index % 3] % 10 for index, digit in enumerate(digits))
    return digits + str(-weighted % 10)


def _spanish_check(digits: str) -> str:
    weighted = sum(int(digit) * 2**index % 11 for index, digit in enumerate(digits))
    check = 11 - weighted % 11
    return str({10: 1, 11: 0}.get(check, check))


def _address(country: str) -> dict[str, str | None]:
    return {"city": "Testville", "country": country, "line1": "1 Test Street", "line2": None, "postal_code": "10000",
            "state": None}  # fmt: skip


def _common(country: str) -> dict[str, Any]:
    return {
        "account_holder_address": _address(country),
        "account_holder_name": HOLDER,
        "bank_address": _address(country),
    }


def _one(type: str, at: str, networks: Sequence[str], **details: str) -> dict[str, Any]:
    """A financial address; its hash is called what its type is."""
    shown = {type: dict(sorted({**_common(at), **details}.items()))}
    return dict(sorted({**shown, "supported_networks": list(networks), "type": type}.items()))


def _eu(country: str, number: str) -> list[dict[str, Any]]:
    return [_one("iban", country, ["sepa"], bic=f"ROLL{country}00XXX", country=country, iban=iban(country, number))]


def _gb(country: str, number: str) -> list[dict[str, Any]]:
    return [_one("sort_code", country, ["bacs", "fps"], account_number=number[-8:], sort_code="000000")]


def _jp(country: str, number: str) -> list[dict[str, Any]]:
    details = {"account_type": "futsu", "bank_code": "0000", "bank_name": BANK, "branch_code": "000"}
    shown = _one("zengin", country, ["zengin"], account_number=number[-7:], branch_name="Test Branch", **details)
    return [shown]


def _mx(country: str, number: str) -> list[dict[str, Any]]:
    return [_one("spei", country, ["spei"], bank_code="000", bank_name=BANK, clabe=clabe(number))]


def _us(country: str, number: str) -> list[dict[str, Any]]:
    details = {"account_number": number, "account_type": "checking", "bank_name": BANK}
    return [
        _one("aba", country, ["ach", "domestic_wire_us"], routing_number="000000000", **details),
        _one("swift", country, ["swift"], swift_code="ROLLUS00XXX", **details),
    ]


_ADDRESSES: Mapping[str, Callable[[str, str], list[dict[str, Any]]]] = {
    "eur": _eu,
    "gbp": _gb,
    "jpy": _jp,
    "mxn": _mx,
    "usd": _us,
}
