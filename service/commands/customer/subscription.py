"""Subscriptions of a customer, as a billing service reports them: report, remove. Rollbook does not bill."""

from events.customer import CUSTOMER
from events.customer.subscription import Attributes, RemoveSubscription, ReportSubscription
from events.errors import ConstraintBroken, Refusal
from events.unit_of_work import UnitOfWork
from service.commands.customer import moment

CLAIMED = "resource_parent"  # the constraint that an object has one parent


async def report(unit: UnitOfWork, customer: str, id: str, attributes: Attributes) -> None:
    """Record the reported state of a subscription, replacing the earlier report. Raises Missing, Refusal."""
    at = await moment(unit, customer)
    unit.do(CUSTOMER, customer, ReportSubscription(id=id, at=at, attributes=attributes))


async def remove(unit: UnitOfWork, customer: str, id: str) -> None:
    """Remove a subscription that was reported. Raises Missing, Refusal."""
    unit.do(CUSTOMER, customer, RemoveSubscription(id=id, at=await moment(unit, customer)))


def refuse_claimed(broken: ConstraintBroken, id: str) -> None:
    """Raises Refusal if the subscription belongs to another customer; other errors are raised again."""
    if broken.constraint == CLAIMED:
        raise Refusal(f"The subscription '{id}' belongs to another customer.", param="subscription") from None
