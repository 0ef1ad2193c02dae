"""The tax details of a customer, and validation of its location."""

from dataclasses import dataclass, replace
from typing import Any

from events.customer import CUSTOMER, Customer, profile
from events.customer.profile import ProfilePatch
from events.customer.tax import SetTax
from events.errors import Refusal
from events.payment_method import PAYMENT_METHOD
from events.unit_of_work import UnitOfWork
from projections import customers, payment_methods, sources, tax
from service.commands.caller import Caller


@dataclass(frozen=True, slots=True)
class RememberAddress:
    """Set or clear the IP address of the customer."""

    ip_address: str | None

    async def apply(self, unit: UnitOfWork, caller: Caller, customer: str, at: int) -> None:
        """Set the address."""
        unit.do(CUSTOMER, customer, SetTax(ip_address=self.ip_address))

    def streams(self, caller: Caller) -> tuple[str, ...]:
        """No further streams."""
        return ()


@dataclass(frozen=True, slots=True)
class RecogniseLocation:
    """Require that the location of the customer is recognised, after all changes of the request."""

    patch: ProfilePatch  # later changes of the same request

    async def apply(self, unit: UnitOfWork, caller: Caller, customer: str, at: int) -> None:
        """Raises Refusal if the location is not recognised."""
        state = unit.state(CUSTOMER, customer)
        after = replace(state, profile=profile.apply(state.profile, profile.changes(state.profile, self.patch)))
        shown = customers.render(after, caller.livemode)
        if tax.location_of(shown, await _payment(unit, after, tax.way_to_pay(shown))) is None:
            raise Refusal(
                "The customer's location isn't recognized. Set a valid customer address in order to automatically "
                "calculate tax.",
                code="customer_tax_location_invalid",
                param="tax[validate_location]",
            )

    def streams(self, caller: Caller) -> tuple[str, ...]:
        """No further streams."""
        return ()


async def _payment(unit: UnitOfWork, state: Customer, paid_by: tuple[str, Any] | None) -> dict[str, Any] | None:
    """The card, bank account or payment method that the customer pays with."""
    match paid_by:
        case (payment_methods.KIND, id):
            method = await unit.load(PAYMENT_METHOD, id)
            return payment_methods.render(method, unit.origin.livemode) if method.id else None
        case (sources.KIND, id) if id in state.sources.by_id:
            return sources.render(state.sources.by_id[id], state.id)
        case _:
            return None
