"""Customers: create, update, delete; each is one unit of work on the customer and its facets.

The attributes of a customer are one command on one stream. What else a request asks for (a coupon to redeem, a card to
attach) are facets, one module each, applied in turn; everything is stored atomically.
"""

import asyncio
import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from events import customer, ids
from events.customer import CUSTOMER, CreateCustomer, Customer, DeleteCustomer, UpdateCustomer
from events.customer.profile import ProfilePatch
from events.errors import ConstraintBroken, Refusal
from events.payment_method import PAYMENT_METHOD, DetachFromCustomer
from events.testclock import TEST_CLOCK, LetGo, time_of
from events.unit_of_work import UnitOfWork
from service.commands import customer_time
from service.commands.caller import Caller

PREFIX_TRIES = 5
INVOICE_PREFIX = "customer_invoice_prefix"  # the constraint of its uniqueness


class Facet(Protocol):
    """A facet: a further change of a customer that a request asks for, as a frozen dataclass."""

    async def apply(self, unit: UnitOfWork, caller: Caller, customer: str, at: int) -> None:
        """Apply it at `at`, the time of the customer in Unix seconds; the unit has loaded the customer. Raises
        Refusal.
        """
        ...

    def streams(self, caller: Caller) -> Sequence[str]:
        """Further streams on which commands of one process are serialized."""
        ...


@dataclass(frozen=True, slots=True)
class NewCustomer:
    """Parameters of a new customer."""

    patch: ProfilePatch
    facets: Sequence[Facet] = ()  # in the order in which they are applied
    test_clock: str | None = None  # one of the facets
    payment_method: str | None = None  # one of the facets


async def create(unit: UnitOfWork, caller: Caller, new: NewCustomer) -> str:
    """Create a customer; returns its id, a new one at every call. Raises Refusal, Declined."""
    id = ids.new("cus", os.urandom(ids.ID_BYTES))
    prefix = os.urandom(4).hex().upper()
    at = int(unit.origin.at.timestamp())
    if new.test_clock is not None:
        at = time_of(await customer_time.clock_named(unit, new.test_clock, param="test_clock"))
    patch = new.patch.copy()
    default = patch.pop("default_payment_method", None)  # can be attached only after the creation of the customer
    unit.begin(CUSTOMER, id)
    unit.do(CUSTOMER, id, CreateCustomer(id=id, created=at, invoice_prefix=prefix, patch=patch))
    for facet in new.facets:
        await facet.apply(unit, caller, id, at)
    if default is not None:
        if default == new.payment_method:  # a test id, of which a new payment method was made
            [default] = unit.state(CUSTOMER, id).payment_methods.attached
        unit.do(CUSTOMER, id, UpdateCustomer(id=id, patch={"default_payment_method": default}))
    return id


async def update(unit: UnitOfWork, caller: Caller, id: str, patch: ProfilePatch, facets: Sequence[Facet]) -> None:
    """Change a customer. Raises Missing, Refusal, Declined."""
    at = await moment(unit, id)
    for facet in facets:
        await facet.apply(unit, caller, id, at)
    unit.do(CUSTOMER, id, UpdateCustomer(id=id, patch=patch))


async def delete(unit: UnitOfWork, id: str, at: int | None = None) -> None:
    """Delete a customer with everything it has; `at` is given if its test clock is deleted too. Raises Missing,
    Refusal.
    """
    state = await load(unit, id)
    with_clock = at is not None
    if at is None:
        at = await customer_time.now(unit, state)
    unit.do(CUSTOMER, id, DeleteCustomer(id=id, at=at, with_clock=with_clock))
    attached = state.payment_methods.attached
    await asyncio.gather(*(unit.load(PAYMENT_METHOD, payment_method) for payment_method in attached))
    for payment_method in attached:
        unit.do(PAYMENT_METHOD, payment_method, DetachFromCustomer(id=payment_method))
    if state.test_clock is not None:
        await unit.load(TEST_CLOCK, state.test_clock)
        unit.do(TEST_CLOCK, state.test_clock, LetGo(id=state.test_clock, customer=id))


async def load(unit: UnitOfWork, id: str) -> Customer:
    """A customer that exists and is not deleted. Raises Missing."""
    state = await unit.load(CUSTOMER, id)
    customer.must_exist(state, id)
    return state


async def moment(unit: UnitOfWork, id: str) -> int:
    """The time of a request on a customer, in Unix seconds.

    Raises Missing; ClockAdvancing while its test clock advances.
    """
    return await customer_time.now(unit, await load(unit, id))


def streams(caller: Caller, facets: Sequence[Facet]) -> Sequence[str]:
    """The further streams on which commands are serialized."""
    return [stream for facet in facets for stream in facet.streams(caller)] if facets else ()


def refuse_given_prefix(broken: ConstraintBroken, patch: ProfilePatch) -> None:
    """Raises Refusal if the invoice prefix of the request is in use; other errors are raised again."""
    if broken.constraint != INVOICE_PREFIX:
        raise broken
    if "invoice_prefix" in patch:
        prefix = patch["invoice_prefix"]
        raise Refusal(
            f"The invoice prefix '{prefix}' is already in use by another customer.", param="invoice_prefix"
        ) from None
