"""The verification of tax ids, when it is due: never while a request waits.

In test mode the numbers that the API reference keeps for it (all digits 0, 1 or 2) are verified, become unverified or
stay pending. Of every other number the verification is unavailable: no registry is asked.
"""

from typing import NamedTuple

from events.customer import CUSTOMER
from events.customer.tax_id import PENDING, UNAVAILABLE, VerifyTaxId
from events.errors import Missing
from events.unit_of_work import UnitOfWork
from service.commands.customer import load

DIGITS = 9  # of the numbers for tests; where a type has fewer, all of them count


class Outcome(NamedTuple):
    """What is known of a number."""

    status: str
    verified_name: str | None = None
    verified_address: str | None = None


FOR_TESTS = {
    "0": Outcome("verified", "Test Company", "1 Test Street, Test Town"),
    "1": Outcome("unverified"),
    "2": Outcome(PENDING),
}


def outcome(value: str, *, livemode: bool) -> Outcome:
    """What the verification of a number comes to."""
    if not livemode:
        digits = "".join(character for character in value if character.isdigit())
        for digit, found in FOR_TESTS.items():
            if digit * DIGITS in digits or set(digits) == {digit}:
                return found
    return Outcome(UNAVAILABLE)


async def verify(unit: UnitOfWork, customer: str, id: str) -> None:
    """Verify one tax id of a customer. Raises Missing when one of them is gone."""
    tax_id = (await load(unit, customer)).tax_ids.by_id.get(id)
    if tax_id is None:
        raise Missing("tax id", id)
    found = outcome(tax_id.value, livemode=unit.origin.livemode)
    unit.do(CUSTOMER, customer, VerifyTaxId(id=tax_id.id, **found._asdict()))
