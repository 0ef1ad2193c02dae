"""Tax ids as the API shows them, customers' and the account's own, and the notices of customers'."""

from collections.abc import Mapping
from typing import Any

from events.account_tax_id import AccountTaxId
from events.customer.tax_id import PENDING, TaxId, TaxIdAdded, TaxIdRemoved, TaxIdVerified
from events.decider import Change
from projections.facets import Effects, EventContext, Project
from projections.notices import Notification
from projections.rows import ResourceRow, Rows, resource_row

KIND = "tax_id"
VERIFY = "tax_id.verify"  # the task of a number that is pending


def render(tax_id: TaxId, customer: str, livemode: bool) -> dict[str, Any]:
    """A customer's tax id (API reference, the tax id object)."""
    return {
        "id": tax_id.id,
        "object": KIND,
        "country": tax_id.country,
        "created": tax_id.created,
        "customer": customer,
        "customer_account": None,
        "livemode": livemode,
        "owner": {"customer": customer, "customer_account": None, "type": "customer"},
        "type": tax_id.type,
        "value": tax_id.value,
        "verification": {
            "status": tax_id.status,
            "verified_address": tax_id.verified_address,
            "verified_name": tax_id.verified_name,
        },
    }


def render_own(tax_id: AccountTaxId, livemode: bool) -> dict[str, Any]:
    """A tax id of the account itself, which nobody verifies."""
    return {
        "id": tax_id.id,
        "object": KIND,
        "country": tax_id.country,
        "created": tax_id.created,
        "customer": None,
        "customer_account": None,
        "livemode": livemode,
        "owner": {"customer_account": None, "type": "self"},
        "type": tax_id.type,
        "value": tax_id.value,
        "verification": None,
    }


def render_deleted(id: str) -> dict[str, Any]:
    """A deleted tax id."""
    return {"id": id, "object": KIND, "deleted": True}


def own_rows(change: Change[AccountTaxId]) -> Rows:
    """The row of a tax id of the account's own; those have no notices."""
    tax_id, origin = change.after, change.origin
    row = resource_row(
        origin,
        change.version,
        kind=KIND,
        id=tax_id.id,
        created=tax_id.created,
        shown=render_own(tax_id, origin.livemode),
        deleted=tax_id.deleted,
    )
    return Rows(resources=(row,))


def _added(context: EventContext) -> Effects:
    event: TaxIdAdded = context.event
    tax_id = context.after.tax_ids.by_id[event.id]
    shown = _shown(context, tax_id)
    due = (context.due(VERIFY, tax_id.id, tax_id.created),) if tax_id.status == PENDING else ()
    return Effects(
        resources=(_row(context, tax_id),), notices=(Notification("customer.tax_id.created", shown),), due=due
    )


def _verified(context: EventContext) -> Effects:
    event: TaxIdVerified = context.event
    tax_id = context.after.tax_ids.by_id[event.id]
    before = _shown(context, context.before.tax_ids.by_id[event.id])
    notification = Notification("customer.tax_id.updated", _shown(context, tax_id), before=before)
    return Effects(
        resources=(_row(context, tax_id),), notices=(notification,), due=(context.due(VERIFY, tax_id.id, None),)
    )


def _removed(context: EventContext) -> Effects:
    event: TaxIdRemoved = context.event
    tax_id = context.before.tax_ids.by_id[event.id]
    due = (context.due(VERIFY, tax_id.id, None),) if tax_id.status == PENDING else ()
    notification = Notification("customer.tax_id.deleted", _shown(context, tax_id))
    return Effects(resources=(_row(context, tax_id, deleted=True),), notices=(notification,), due=due)


def _shown(context: EventContext, tax_id: TaxId) -> dict[str, Any]:
    return render(tax_id, context.after.id, context.origin.livemode)


def _row(context: EventContext, tax_id: TaxId, *, deleted: bool = False) -> ResourceRow:
    shown = _shown(context, tax_id)
    return context.resource(kind=KIND, id=tax_id.id, created=tax_id.created, shown=shown, deleted=deleted)


PROJECTS: Mapping[type, Project] = {TaxIdAdded: _added, TaxIdVerified: _verified, TaxIdRemoved: _removed}
