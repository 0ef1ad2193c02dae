"""Erasures as they are listed, so that they can be repeated after a restore, and the notice of each, with ids only."""

from collections.abc import Mapping

from events.customer.erasure import CustomerErased
from projections.facets import Effects, EventContext, Project
from projections.notices import Notification

KIND = "erasure"  # its id is the customer's
NOTICE = "customer.redacted"


def _erased(context: EventContext) -> Effects:
    event: CustomerErased = context.event
    shown = {
        "customer": event.id,
        "account": context.origin.account,
        "livemode": context.origin.livemode,
        "erased_at": event.at,
        "basis": event.basis,
        "requested_by": event.requested_by,
    }
    return Effects(
        resources=(context.resource(kind=KIND, id=event.id, created=event.at, shown=shown),),
        notices=(Notification(NOTICE, {"id": event.id, "object": "customer", "deleted": True, "redacted": True}),),
    )


PROJECTS: Mapping[type, Project] = {CustomerErased: _erased}
