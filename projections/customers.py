"""The current customers, as the API shows them: exactly these keys, `id` and `object` first, the rest alphabetical."""

from collections.abc import Iterable, Mapping
from typing import Any

from events.customer import Customer, subscription
from events.decider import Change
from events.values import Address, InvoiceSettings, Shipping
from projections import balances, cash_balances, discounts, erasures, sources, subscriptions, tax, tax_ids, testclocks
from projections.facets import Effects, EventContext, Project
from projections.notices import notice
from projections.rows import CustomerRow, NoticeRow, ResourceRow, Rows, dumps


def render(state: Customer, livemode: bool) -> dict[str, Any]:
    """A living customer in its default representation (API reference, the customer object)."""
    profile = state.profile
    shown: dict[str, Any] = {
        "id": state.id,
        "object": "customer",
        "address": _address(profile.address),
        "balance": state.balance.ledgers.get(state.currency or "", 0),
        "business_name": profile.business_name,
        "created": state.created,
        "currency": state.currency,
        "default_source": state.sources.default,
        "delinquent": subscription.delinquent(state.subscriptions),
        "description": profile.description,
        "discount": discounts.render(state.discounts.current, state.id),
        "email": profile.email,
        "individual_name": profile.individual_name,
        "invoice_prefix": profile.invoice_prefix,
        "invoice_settings": _invoice_settings(profile.invoice_settings, profile.default_payment_method),
        "livemode": livemode,
        "metadata": dict(profile.metadata),
        "name": profile.name,
        "next_invoice_sequence": profile.next_invoice_sequence,
        "phone": profile.phone,
        "preferred_locales": profile.preferred_locales,
        "shipping": _shipping(profile.shipping),
        "tax_exempt": profile.tax_exempt,
        "test_clock": state.test_clock,
    }
    for never_null in ("business_name", "individual_name"):
        if shown[never_null] is None:
            del shown[never_null]
    return shown


def render_deleted(id: str) -> dict[str, Any]:
    """A deleted customer."""
    return {"id": id, "object": "customer", "deleted": True}


def body(state: Customer, livemode: bool) -> bytes:
    """A customer, living or deleted, as the bytes the API sends."""
    return dumps(render_deleted(state.id) if state.deleted else render(state, livemode))


class CustomerProjection:
    """Turns changes of customers into their rows and their notices, rendered in `api_version`."""

    def __init__(self, api_version: str) -> None:
        self._api_version = api_version

    def rows(self, change: Change[Customer]) -> Rows:
        """The rows after the change, and its notices.

        A request has one notice of the customer itself, however many of its events changed it, and one of each event of
        a facet.
        """
        livemode = change.origin.livemode
        before = render(change.before, livemode) if change.before.exists else None
        after = before if change.after.deleted and before else render(change.after, livemode)
        same = change.before.deleted or (before == after and not change.after.deleted)
        notices = [] if same else [self._notice(change, before, after)]
        effects = effects_of(change)
        if not effects:  # as of most requests
            return Rows(customers=(self.row(change, after),), notices=tuple(notices))
        for context, effect in effects:
            notices.extend(
                notice(
                    notification.type,
                    notification.shown,
                    before=notification.before,
                    stream=context.stream,
                    version=context.version,
                    event=context.offset,
                    origin=context.origin,
                    api_version=self._api_version,
                )
                for notification in effect.notices
            )
        return Rows(
            customers=(self.row(change, after),),
            resources=last_of_each(row for _, effect in effects for row in effect.resources),
            notices=tuple(notices),
            due=tuple(row for _, effect in effects for row in effect.due),
        )

    def _notice(self, change: Change[Customer], before: dict[str, Any] | None, after: dict[str, Any]) -> NoticeRow:
        first = change.version - len(change.steps) + 1
        ends = change.after.deleted
        return notice(
            "customer.deleted" if ends else "customer.updated" if before is not None else "customer.created",
            after,
            before=None if ends else before,
            stream=change.stream,
            version=change.version if ends else first,
            event=len(change.steps) - 1 if ends else 0,
            origin=change.origin,
            api_version=self._api_version,
        )

    @staticmethod
    def row(change: Change[Customer], shown: dict[str, Any] | None = None) -> CustomerRow:
        """The customer's own row, as the change left it."""
        after = change.after
        if after.deleted:
            shown = render_deleted(after.id)
        return CustomerRow(
            account=change.origin.account,
            livemode=change.origin.livemode,
            id=after.id,
            created=after.created,
            version=change.version,
            deleted=after.deleted,
            email=None if after.deleted else after.profile.email,
            invoice_prefix=None if after.deleted else after.profile.invoice_prefix,
            body=dumps(shown or render(after, change.origin.livemode)),
            test_clock=after.test_clock,
        )


def effects_of(change: Change[Customer]) -> list[tuple[EventContext, Effects]]:
    """The effects of each event of a change that concerns a facet."""
    effects = []
    before, version = change.before, change.version - len(change.steps)
    for index, (event, after) in enumerate(change.steps):
        version += 1
        project = PROJECTS.get(type(event))
        if project is not None:
            context = EventContext(event, before, after, change.origin, change.stream, version, index)
            effects.append((context, project(context)))
        before = after
    return effects


def last_of_each(rows: Iterable[ResourceRow]) -> tuple[ResourceRow, ...]:
    """Of several rows for one object the last, at the index of the first; or of the one that created it again."""
    latest: dict[tuple[str, str], ResourceRow] = {}
    for row in rows:
        earlier = latest.get((row.kind, row.id))
        index = row.event if earlier is None or (earlier.deleted and not row.deleted) else earlier.event
        latest[row.kind, row.id] = row._replace(event=index)
    return tuple(latest.values())


PROJECTS: Mapping[type, Project] = {
    **balances.PROJECTS,
    **cash_balances.PROJECTS,
    **discounts.PROJECTS,
    **erasures.PROJECTS,
    **sources.PROJECTS,
    **subscriptions.PROJECTS,
    **tax.PROJECTS,
    **tax_ids.PROJECTS,
    **testclocks.PROJECTS,
}
# Of the objects that facets' projections write.
KINDS: tuple[str, ...] = (
    balances.CREDIT,
    balances.KIND,
    cash_balances.KIND,
    cash_balances.TRANSACTION,
    erasures.KIND,
    sources.KIND,
    subscriptions.KIND,
    tax.KIND,
    tax_ids.KIND,
)


def _address(address: Address | None) -> dict[str, str | None] | None:
    if address is None:
        return None
    return {
        "city": address.city,
        "country": address.country,
        "line1": address.line1,
        "line2": address.line2,
        "postal_code": address.postal_code,
        "state": address.state,
    }


def _shipping(shipping: Shipping | None) -> dict[str, Any] | None:
    if shipping is None:
        return None
    return {"address": _address(shipping.address), "name": shipping.name, "phone": shipping.phone}


def _invoice_settings(settings: InvoiceSettings, default_payment_method: str | None) -> dict[str, Any]:
    options = settings.rendering_options
    return {
        "custom_fields": None
        if settings.custom_fields is None
        else [{"name": field.name, "value": field.value} for field in settings.custom_fields],
        "default_payment_method": default_payment_method,
        "footer": settings.footer,
        "rendering_options": None
        if options is None
        else {"amount_tax_display": options.amount_tax_display, "template": options.template},
    }
