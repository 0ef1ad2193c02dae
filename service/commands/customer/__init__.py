"""What creating or updating a customer does beside setting its attributes, one file a facet.

Each module names its PARAMETERS and applies what was sent of them to the request's unit of work:

    async def apply(unit, call, id, parameters, at) -> None
    def streams(call, parameters) -> Iterable[str]

`at` is the customer's own time in Unix seconds; `streams` are those, beside the customer's, that commands of one
process should take one at a time.
"""

from collections.abc import Iterable
from typing import Any, Protocol

from events.unit_of_work import UnitOfWork
from service.commands.customer import balance, cash_balance, discount, payment_method, source, tax, tax_ids, test_clock
from service.http.pipeline import RequestContext


class Extra(Protocol):
    """A module of this package."""

    @property
    def PARAMETERS(self) -> tuple[str, ...]:
        """The parameters it takes care of."""
        ...

    async def apply(self, unit: UnitOfWork, call: RequestContext, id: str, parameters: Any, at: int) -> None:
        """Do what the parameters ask of the customer `id` at the time `at`, in Unix seconds. Raises Refusal."""
        ...

    def streams(self, call: RequestContext, parameters: Any) -> Iterable[str]:
        """The streams, beside the customer's, that commands of this process should take one at a time."""
        ...


EXTRAS: tuple[Extra, ...] = (
    test_clock,
    balance,
    cash_balance,
    source,
    payment_method,
    discount,
    tax_ids,
    tax,
)  # in the order in which they are applied
_ALL = frozenset(name for extra in EXTRAS for name in extra.PARAMETERS)


async def apply(unit: UnitOfWork, call: RequestContext, id: str, parameters: Any, at: int) -> None:
    """Apply whatever was sent to the customer, which the unit has loaded or begun. Raises Refusal."""
    if _ALL.isdisjoint(parameters.model_fields_set):
        return
    for extra in EXTRAS:
        if not parameters.model_fields_set.isdisjoint(extra.PARAMETERS):
            await extra.apply(unit, call, id, parameters, at)


def streams(call: RequestContext, parameters: Any) -> list[str]:
    """The streams to take one at a time, beside the customer's."""
    sent = parameters.model_fields_set
    if _ALL.isdisjoint(sent):
        return []
    return [
        name for extra in EXTRAS if not sent.isdisjoint(extra.PARAMETERS) for name in extra.streams(call, parameters)
    ]
