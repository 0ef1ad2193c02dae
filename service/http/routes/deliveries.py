"""`/v1/rollbook/deliveries`: list, retrieve, resend, cancel."""

from collections.abc import Awaitable, Callable
from typing import Any

from events.errors import AlreadyAnswered, Missing, Refusal
from events.transact import other_mode_hint
from events.unit_of_work import UnitOfWork
from projections.read import UnknownCursor
from projections.rows import dumps
from service.http import expand, pagination
from service.http.operation import Operations
from service.http.params import delivery as parameters_of
from service.http.pipeline import RequestContext
from service.http.reply import Reply
from webhooks.endpoints.endpoint import must_be_enabled
from webhooks.queue.deliveries import key_of

operation = Operations()
URL = "/v1/rollbook/deliveries"
KIND = "rollbook.delivery"


@operation(
    "GET",
    URL,
    "rollbook.deliveries.list",
    permission="webhook_endpoints:read",
    parameters=parameters_of.ListDeliveries,
    answers="list.rollbook.delivery",
)
async def list_all(context: RequestContext) -> Reply:
    """List webhook deliveries.

    Deliveries of the newest events first.
    """
    parameters = context.parse(parameters_of.ListDeliveries)
    page, caller = parameters.page(), context.caller
    expand.paths(context, parameters.expand, KIND, in_list=True)
    if expand.counted(parameters.expand):
        raise Refusal("The total_count of deliveries is not available.", param="expand")
    try:
        shown, has_more = await context.pipeline.deliveries.page(
            caller.scope,
            page,
            state=parameters.state,
            endpoint=parameters.endpoint,
            notice=parameters.event,
            customer=parameters.customer,
        )
    except UnknownCursor:
        raise pagination.unknown_cursor("delivery", page) from None
    return Reply(200, pagination.list_body(URL, [dumps(each) for each in shown], has_more))


@operation(
    "GET",
    f"{URL}/{{delivery}}",
    "rollbook.deliveries.retrieve",
    permission="webhook_endpoints:read",
    parameters=parameters_of.RetrieveDelivery,
    answers="rollbook.delivery.whole",
)
async def retrieve(context: RequestContext) -> Reply:
    """Retrieve a webhook delivery.

    Includes every attempt.
    """
    context.parse(parameters_of.RetrieveDelivery)
    return Reply(200, await _whole(context, await _find(context)))


@operation(
    "POST",
    f"{URL}/{{delivery}}/resend",
    "rollbook.deliveries.resend",
    permission="webhook_endpoints:write",
    parameters=parameters_of.ResendDelivery,
    answers="rollbook.delivery.whole",
)
async def resend(context: RequestContext) -> Reply:
    """Resend a webhook delivery.

    Works in every state; a delivery that is pending or held is attempted at once.
    """
    context.parse(parameters_of.ResendDelivery)

    async def act() -> Reply:
        shown, stopped = await _found(context)
        must_be_enabled(stopped, shown["endpoint"])
        key = key_of(shown["id"])
        assert key is not None, "it was found by it"
        await context.pipeline.deliveries.resend(key)
        return Reply(200, await _whole(context, await _find(context)))

    return await _once(context, act)


@operation(
    "POST",
    f"{URL}/{{delivery}}/cancel",
    "rollbook.deliveries.cancel",
    permission="webhook_endpoints:write",
    parameters=parameters_of.CancelDelivery,
    answers="rollbook.delivery.whole",
)
async def cancel(context: RequestContext) -> Reply:
    """Cancel a webhook delivery.

    The delivery must be pending or held; an attempt in flight may still arrive.
    """
    context.parse(parameters_of.CancelDelivery)

    async def act() -> Reply:
        shown = await _find(context)
        if shown["state"] in ("pending", "held"):
            key = key_of(shown["id"])
            assert key is not None, "it was found by it"
            await context.pipeline.deliveries.cancel(key)
            shown = await _find(context)
        if shown["state"] != "canceled":
            raise Refusal(f"The delivery '{shown['id']}' is {shown['state']}: only a pending one can be canceled.")
        return Reply(200, await _whole(context, shown))

    return await _once(context, act)


async def _find(context: RequestContext) -> dict[str, Any]:
    """The delivery in the path. Raises Missing."""
    return (await _found(context))[0]


async def _found(context: RequestContext) -> tuple[dict[str, Any], bool]:
    """The delivery in the path, and whether its endpoint is stopped. Raises Missing."""
    caller, id = context.caller, context.match["delivery"]
    found = await context.pipeline.deliveries.one(caller.scope, id)
    if found is None:
        there = await context.pipeline.deliveries.one(caller.scope.other_mode, id)
        raise Missing("delivery", id, hint=other_mode_hint(caller.livemode) if there else "")
    return found


async def _whole(context: RequestContext, shown: dict[str, Any]) -> bytes:
    """A delivery with its attempts, which stand before its `created`."""
    key = key_of(shown["id"])
    assert key is not None, "it was found by it"
    attempts = await context.pipeline.deliveries.attempts(key)
    first = {name: shown[name] for name in ("id", "object", "attempt_count")}
    return dumps({**first, "attempts": attempts, **shown})


async def _once(context: RequestContext, act: Callable[[], Awaitable[Reply]]) -> Reply:
    """Do what leaves nothing in the log, once for each idempotency key."""
    origin, caller = context.begin(), context.caller
    use, log = context.key_use, context.pipeline.log
    if use is not None and await log.receipt(caller.scope, use.key) is not None:
        raise AlreadyAnswered(use.key)

    async def work(_: UnitOfWork) -> Reply:
        return await act()

    return await context.transact(work, origin)
