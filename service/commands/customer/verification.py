"""Verification of tax ids: a background job, so no request waits for it.

In test mode the reserved values of the API reference (all digits 0, 1 or 2) become verified, become unverified, or stay
pending. For every other value verification is unavailable: no registry is queried.
"""

from typing import NamedTuple

from events.customer import CUSTOMER
from events.customer.tax_id import PENDING, UNAVAILABLE, VerifyTaxId
from events.errors import Missing
from events.unit_of_work import UnitOfWork
from service.commands.customer import load

DIGITS = 9  # digits of the reserved values; shorter types use all of theirs


class Outcome(NamedTuple):
    """Result of a verification."""

    status: str
    verified_name: str | None = None
    verified_address: str | None = None


FOR_TESTS = {
    "0": Outcome("verified", "Test Company", "1 Test Street, Test Town"),
    "1": Outcome("unverified"),
    "2": Outcome(PENDING),
}


def outcome(value: str, *, livemode: bool) -> Outcome:
    """The result of the verification of a value."""
    if not livemode:
        digits = "".join(character for character in value if character.isdigit())
        for digit, found in FOR_TESTS.items():
            if digit * DIGITS in digits or set(digits) == {digit}:
                return found
    return Outcome(UNAVAILABLE)


async def verify(unit: UnitOfWork, customer: str, id: str) -> None:
    """Verify one tax id of a customer. Raises Missing if either does not exist."""
    tax_id = (await load(unit, customer)).tax_ids.by_id.get(id)
    if tax_id is None:
        raise Missing("tax id", id)
    found = outcome(tax_id.value, livemode=unit.origin.livemode)
    unit.do(CUSTOMER, customer, VerifyTaxId(id=tax_id.id, **found._asdict()))
