"""Tax ids as the API shows them, customers' and the account's own, and what is told of customers'."""

from collections.abc import Mapping
from typing import Any

from events.account_tax_id import AccountTaxId
from events.customer.tax_id import PENDING, TaxId, TaxIdAdded, TaxIdRemoved, TaxIdVerified
from events.decider import Change
from projections.facets import Facts, Project, Step, Telling
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
    """What is left to show of a deleted tax id."""
    return {"id": id, "object": KIND, "deleted": True}


def own_rows(change: Change[AccountTaxId]) -> Rows:
    """The row of a tax id of the account's own; the API tells nothing of those."""
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


def _added(step: Step) -> Facts:
    event: TaxIdAdded = step.event
    tax_id = step.after.tax_ids.by_id[event.id]
    shown = _shown(step, tax_id)
    due = (step.due(VERIFY, tax_id.id, tax_id.created),) if tax_id.status == PENDING else ()
    return Facts(resources=(_row(step, tax_id),), notices=(Telling("customer.tax_id.created", shown),), due=due)


def _verified(step: Step) -> Facts:
    event: TaxIdVerified = step.event
    tax_id = step.after.tax_ids.by_id[event.id]
    before = _shown(step, step.before.tax_ids.by_id[event.id])
    told = Telling("customer.tax_id.updated", _shown(step, tax_id), before=before)
    return Facts(resources=(_row(step, tax_id),), notices=(told,), due=(step.due(VERIFY, tax_id.id, None),))


def _removed(step: Step) -> Facts:
    event: TaxIdRemoved = step.event
    tax_id = step.before.tax_ids.by_id[event.id]
    due = (step.due(VERIFY, tax_id.id, None),) if tax_id.status == PENDING else ()
    told = Telling("customer.tax_id.deleted", _shown(step, tax_id))
    return Facts(resources=(_row(step, tax_id, deleted=True),), notices=(told,), due=due)


def _shown(step: Step, tax_id: TaxId) -> dict[str, Any]:
    return render(tax_id, step.after.id, step.origin.livemode)


def _row(step: Step, tax_id: TaxId, *, deleted: bool = False) -> ResourceRow:
    shown = _shown(step, tax_id)
    return step.resource(kind=KIND, id=tax_id.id, created=tax_id.created, shown=shown, deleted=deleted)


PROJECTS: Mapping[type, Project] = {TaxIdAdded: _added, TaxIdVerified: _verified, TaxIdRemoved: _removed}
