"""A customer at a version of its stream, with everything it had then, and what one event of it changed (time travel).

The rendering is the API's: the customer object, and beside it what belongs to it, by id: `sources`, `tax_ids`,
`subscriptions`, `balance_transactions`. Of a deleted customer the last state stays, with `deleted`.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

from events.customer import Customer
from events.decider import Change
from events.record import Origin
from projections import balances, cash_balances, customers, sources, subscriptions, tax_ids
from projections.changes import NOTHING, Changed, changes, escaped

TRANSACTIONS_SHOWN = 100  # of balance transactions in a state: the newest


class Collection(NamedTuple):
    """Objects of a customer that are shown by id: the name, what there is, and how one of them is rendered."""

    name: str
    of: Callable[[Customer], Mapping[str, Any]]
    render: Callable[[Any, str, Customer, bool], Mapping[str, Any]]


# By the kind of their rows.
COLLECTIONS: Mapping[str, Collection] = {
    sources.KIND: Collection(
        "sources", lambda state: state.sources.by_id, lambda one, id, state, live: sources.render(one, state.id)
    ),
    tax_ids.KIND: Collection(
        "tax_ids", lambda state: state.tax_ids.by_id, lambda one, id, state, live: tax_ids.render(one, state.id, live)
    ),
    subscriptions.KIND: Collection(
        "subscriptions",
        lambda state: state.subscriptions.by_id,
        lambda one, id, state, live: subscriptions.render(one, state.id, state.test_clock, live),
    ),
    balances.KIND: Collection(
        "balance_transactions",
        lambda state: state.balance.transactions,
        lambda one, id, state, live: balances.render(id, one, state.id, live),
    ),
}


def render(state: Customer, livemode: bool) -> dict[str, Any]:
    """The customer as it was, with what belonged to it; of balance transactions the newest."""
    shown = _own(state, livemode)
    for collection in COLLECTIONS.values():
        there = collection.of(state)
        ids = list(there)[-TRANSACTIONS_SHOWN:] if collection.name == "balance_transactions" else there
        shown[collection.name] = {id: collection.render(there[id], id, state, livemode) for id in ids}
    return shown


def difference(before: Customer, after: Customer, livemode: bool) -> Iterator[Changed]:
    """What changed between two states of a customer."""
    yield from changes(_own(before, livemode) if before.id else NOTHING, _own(after, livemode))
    for collection in COLLECTIONS.values():
        old, now = collection.of(before), collection.of(after)
        if old is now:
            continue
        for id in (*now, *(id for id in old if id not in now)):
            yield from _of_one(collection, id, before, after, livemode)


def of_event(event: Any, before: Customer, after: Customer, origin: Origin, stream: str, version: int) -> list[Changed]:
    """What one event changed: of what belongs to the customer, the objects whose rows the event writes."""
    found = list(changes(_own(before, origin.livemode) if before.id else NOTHING, _own(after, origin.livemode)))
    change = Change("customer", stream, before, after, version, ((event, after),), origin)
    for _, effects in customers.effects_of(change):
        for row in effects.resources:
            collection = COLLECTIONS.get(row.kind)
            if collection is not None:
                found += _of_one(collection, row.id, before, after, origin.livemode)
    return found


def _of_one(collection: Collection, id: str, before: Customer, after: Customer, livemode: bool) -> Iterator[Changed]:
    old, now = collection.of(before).get(id), collection.of(after).get(id)
    if old is now:
        return
    path = f"/{collection.name}/{escaped(id)}"
    shown_old = None if old is None else collection.render(old, id, before, livemode)
    shown_now = None if now is None else collection.render(now, id, after, livemode)
    if shown_old is None or shown_now is None:
        yield Changed(path, shown_old, shown_now)
    else:
        yield from changes(shown_old, shown_now, path)


def _own(state: Customer, livemode: bool) -> dict[str, Any]:
    """The customer object with `deleted`, and those parts that are shown on request or in other places."""
    return customers.render(state, livemode) | {
        "deleted": state.deleted,
        "erased_at": state.erasure.erased_at,
        "holds": {id: {"created": hold.at, "reason": hold.reason} for id, hold in state.erasure.holds.items()},
        "cash_balance": cash_balances.render(state.cash_balance, state.id, livemode),
        "invoice_credit_balance": balances.credit(state.balance.ledgers),
        "ip_address": state.tax.ip_address,
        "payment_methods": list(state.payment_methods.attached),
    }
