"""Handlers of scheduled jobs: what is done when each kind of job is due.

Discounts end after their months; coupons and promotion codes expire, and the promotion codes of an expired coupon with
it; cards are reported as expiring on the last day of their month; tax ids are verified; redaction jobs are validated
and run; test clocks are deleted after 30 days. A job under a test clock is executed with the clock's time `due_at`. A
handler whose object no longer exists does nothing.
"""

from collections.abc import Awaitable, Callable, Mapping

import orjson

from events import promotion_code
from events.coupon import COUPON
from events.customer import CUSTOMER
from events.promotion_code import PROMOTION_CODE
from events.testclock import TEST_CLOCK
from events.unit_of_work import UnitOfWork
from projections import coupons, discounts, promotion_codes, redaction_jobs, sources, tax_ids
from projections.due import Due
from projections.read import PageOf
from projections.testclocks import DELETE
from service.commands import coupons as coupon_commands
from service.commands import promotion_codes as promotion_code_commands
from service.commands import redaction_jobs as redaction_commands
from service.commands import testclocks as clock_commands
from service.commands.customer import discount, source, verification
from service.jobs import system
from service.wiring import Core

Handler = Callable[[Core, Due], Awaitable[None]]

CODES_AT_A_TIME = 100


async def end_discount(core: Core, due: Due) -> None:
    """End the discount of a customer."""

    async def act(unit: UnitOfWork) -> None:
        await discount.end(unit, due.id, due.subject, due.due_at)

    await core.executor.transact(act, system.origin_of(core, due), serialized_on=(CUSTOMER.stream(due.id),))


async def note_expiry(core: Core, due: Due) -> None:
    """Record that the card of a customer is about to expire."""

    async def act(unit: UnitOfWork) -> None:
        await source.note_expiry(unit, due.id, due.subject, due.due_at)

    await core.executor.transact(act, system.origin_of(core, due), serialized_on=(CUSTOMER.stream(due.id),))


async def expire_coupon(core: Core, due: Due) -> None:
    """Expire a coupon."""

    async def act(unit: UnitOfWork) -> None:
        await coupon_commands.expire(unit, due.id, due.due_at)

    await core.executor.transact(act, system.origin_of(core, due), serialized_on=(COUPON.stream(due.id),))


async def expire_promotion_code(core: Core, due: Due) -> None:
    """Expire a promotion code."""

    async def act(unit: UnitOfWork) -> None:
        await promotion_code_commands.expire(unit, due.id, due.due_at)

    await core.executor.transact(act, system.origin_of(core, due), serialized_on=(PROMOTION_CODE.stream(due.id),))


async def close_codes(core: Core, due: Due) -> None:
    """Deactivate the promotion codes of an expired coupon (API reference, the promotion code object).

    Until that has happened a code is shown as active, and its redemption is refused.
    """
    facts = {"active": True, "coupon": due.subject}
    last, more = None, True
    while more:
        page = PageOf(limit=CODES_AT_A_TIME, starting_after=last, ending_before=None)
        found = await core.reader.resources(due.scope, promotion_code.KIND, page, None, facts)
        for body in found.bodies:
            last = orjson.loads(body)["id"]
            await _close(core, due, last)
        more = found.has_more


async def _close(core: Core, due: Due, code: str) -> None:
    async def act(unit: UnitOfWork) -> None:
        await promotion_code_commands.close(unit, code, due.id, due.due_at)

    await core.executor.transact(act, system.origin_of(core, due), serialized_on=(PROMOTION_CODE.stream(code),))


async def verify_tax_id(core: Core, due: Due) -> None:
    """Verify a tax id of a customer."""

    async def act(unit: UnitOfWork) -> None:
        await verification.verify(unit, due.id, due.subject)

    await core.executor.transact(act, system.origin_of(core, due), serialized_on=(CUSTOMER.stream(due.id),))


async def end_clock(core: Core, due: Due) -> None:
    """Delete a test clock after its 30 days, with its customers."""

    async def act(unit: UnitOfWork) -> None:
        await clock_commands.delete(unit, due.id)

    await core.executor.transact(act, system.origin_of(core, due), serialized_on=(TEST_CLOCK.stream(due.id),))


async def validate_redaction(core: Core, due: Due) -> None:
    """Validate a redaction job."""
    await redaction_commands.do_validation(core, due.id, system.origin_of(core, due))


async def run_redaction(core: Core, due: Due) -> None:
    """Erase the customers of a redaction job."""
    await redaction_commands.do_run(core, due.id, system.origin_of(core, due))


HANDLERS: Mapping[str, Handler] = {
    DELETE: end_clock,
    coupons.CLOSE: close_codes,
    coupons.EXPIRE: expire_coupon,
    discounts.END: end_discount,
    promotion_codes.EXPIRE: expire_promotion_code,
    redaction_jobs.RUN: run_redaction,
    redaction_jobs.VALIDATE: validate_redaction,
    sources.EXPIRING: note_expiry,
    tax_ids.VERIFY: verify_tax_id,
}
