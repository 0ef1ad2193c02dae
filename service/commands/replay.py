"""Replays of the log into scratch schemas: which kinds of streams are folded, the range, and the record of the read."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any

import asyncpg

from events import (
    account_tax_id,
    api_key,
    audit_trail,
    coupon,
    customer,
    payment_method,
    promotion_code,
    testclock,
    token,
)
from events.database import as_outage, open_connection
from events.decider import Change
from events.outage import DRIVER_ERRORS
from events.scope import Scope
from projections import api_keys, replay, tax_ids, tokens
from projections.coupons import CouponProjection
from projections.customers import CustomerProjection, effects_of, last_of_each
from projections.payment_methods import PaymentMethodProjection
from projections.promotion_codes import PromotionCodeProjection
from projections.replay import Kind, NotReplayed, Range, Replay
from projections.rows import Rows
from projections.testclocks import TestClockProjection
from service.commands.audit import operator, record_read
from service.history import HIDDEN, SECRETS
from service.wiring import Core
from webhooks.broker import subscriber, subscribers
from webhooks.endpoints import endpoint
from webhooks.endpoints.projection import EndpointProjection

SESSION = {"timezone": "UTC", "jit": "off", "log_parameter_max_length_on_error": "0"}
ARGUMENTS = {"server_settings": {"application_name": "rollbook replay"}}
SCOPES = "SELECT DISTINCT account, livemode FROM events.stream ORDER BY 1, 2"


def kinds(core: Core) -> Mapping[str, Kind]:
    """How each kind of stream that has rows is folded; of others there are the events alone."""
    version = core.settings.api_version
    folded = (
        Kind(customer.CUSTOMER, _facets, CustomerProjection(version).row),
        Kind(account_tax_id.ACCOUNT_TAX_ID, tax_ids.own_rows),
        Kind(api_key.API_KEY, api_keys.rows),
        Kind(coupon.COUPON, CouponProjection(version).rows),
        Kind(endpoint.ENDPOINT, EndpointProjection(core.master_keys, version).rows),
        Kind(payment_method.PAYMENT_METHOD, PaymentMethodProjection(version).rows),
        Kind(promotion_code.PROMOTION_CODE, PromotionCodeProjection(version).rows),
        Kind(subscriber.SUBSCRIBER, subscribers.rows),
        Kind(testclock.TEST_CLOCK, TestClockProjection(version).rows),
        Kind(token.TOKEN, tokens.rows),
    )
    return {kind.decider.kind: kind for kind in folded}


EVENTS_ONLY = frozenset({audit_trail.KIND})


def _facets(change: Change[customer.Customer]) -> Rows:
    """What belongs to a customer; the row of the customer itself is made once, of the last state."""
    effects = [effect for _, effect in effects_of(change)]
    return Rows(
        resources=last_of_each(row for effect in effects for row in effect.resources),
        due=tuple(row for effect in effects for row in effect.due),
    )


@asynccontextmanager
async def owners_connection(core: Core) -> AsyncIterator[Any]:
    """A connection as the role of DATABASE_URL itself: the service's role may make no schema."""
    connection = await open_connection(core.dsn, ARGUMENTS, SESSION)
    try:
        yield connection
    except asyncpg.InsufficientPrivilegeError as error:
        raise NotReplayed(
            f"PostgreSQL refuses it ({error.message}): do it as the role that owns the database."
        ) from None
    except DRIVER_ERRORS as error:
        raise as_outage(error, core.dsn) from error
    finally:
        await connection.close()


async def range_of(connection: Any, until: int | datetime, start: int | datetime | None) -> Range:
    """The events after one position or time up to another. Raises NotReplayed where there are none."""
    head = await connection.fetchval("SELECT position FROM events.head")
    last = until if isinstance(until, int) else await replay.position_at(connection, until)
    first = start if isinstance(start, int) else 0 if start is None else await replay.position_at(connection, start)
    if last > head:
        raise NotReplayed(f"The log ends at position {head}.")
    if first >= last:
        raise NotReplayed("The log has no event in that range.")
    return Range(first, last)


async def record(core: Core, connection: Any, schema: str, events: Range) -> None:
    """Record in the audit trail of each account and mode that its history is read."""
    for row in await connection.fetch(SCOPES):
        origin = operator(Scope(row["account"], row["livemode"]), core.clock)
        filters = {"after": events.after, "into": schema, "until": events.until}
        await record_read(core.executor, origin, "replay", filters=filters)


def replay_over(core: Core, connection: Any) -> Replay:
    """What fills scratch schemas over an owner's connection."""
    return Replay(connection, core.codec, core.master_keys, kinds(core), dict.fromkeys(SECRETS, HIDDEN))
