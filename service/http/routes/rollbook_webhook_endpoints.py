"""`/v1/rollbook/webhook_endpoints`: what an endpoint's owner can do that the API reference does not know of."""

from collections.abc import Awaitable, Callable
from dataclasses import asdict
from datetime import UTC, datetime
from functools import partial
from typing import Any

import orjson

from events.errors import Missing
from events.unit_of_work import UnitOfWork
from projections.notices import with_pending
from projections.read import UnknownCursor
from projections.rows import Rows, dumps
from service.commands import webhook_endpoints as commands_of
from service.http import expand, pagination, resources
from service.http.operation import Operations
from service.http.params import rollbook_webhook_endpoint as parameters_of
from service.http.pipeline import RequestContext
from service.http.reply import Reply
from webhooks.endpoints import endpoint, rendering
from webhooks.endpoints.endpoint import ENDPOINT, Endpoint

operation = Operations()
COLLECTION = "/v1/rollbook/webhook_endpoints"
URL = f"{COLLECTION}/{{webhook_endpoint}}"
KIND = "rollbook.webhook_endpoint"
HOUR_S = 3600


@operation(
    "GET",
    URL,
    "rollbook.webhook_endpoints.retrieve",
    permission="webhook_endpoints:read",
    parameters=parameters_of.RetrieveWebhookEndpoint,
    answers="rollbook.webhook_endpoint",
)
async def retrieve(context: RequestContext) -> Reply:
    """Retrieve the state of a webhook endpoint.

    Its delivery rules, its circuit breaker, its backlog, and the position up to which every event was delivered.
    """
    context.parse(parameters_of.RetrieveWebhookEndpoint)
    id = context.match["webhook_endpoint"]
    await resources.find(context, endpoint.KIND, id)
    return Reply(200, dumps(await _status_of(context, id)))


@operation(
    "GET",
    COLLECTION,
    "rollbook.webhook_endpoints.list",
    permission="webhook_endpoints:read",
    parameters=parameters_of.ListWebhookEndpoints,
    answers="list.rollbook.webhook_endpoint",
)
async def list_all(context: RequestContext) -> Reply:
    """List webhook endpoints with their state.

    Newest first.
    """
    parameters = context.parse(parameters_of.ListWebhookEndpoints)
    expand.paths(context, parameters.expand, KIND, in_list=True)
    caller, reader, page = context.caller, context.pipeline.reader, parameters.page()
    try:
        found = await reader.resources(caller.scope, endpoint.KIND, page)
    except UnknownCursor:
        raise pagination.unknown_cursor("webhook endpoint", page) from None
    total = None
    if expand.counted(parameters.expand):
        total = await reader.count_resources(caller.scope, endpoint.KIND, page)
    ids = [orjson.loads(body)["id"] for body in found.bodies]
    statuses = await context.pipeline.statuses.of(caller.scope, ids)
    shown = [dumps(statuses[id]) for id in ids if id in statuses]
    return Reply(200, pagination.list_body(COLLECTION, shown, found.has_more, total))


@operation(
    "POST",
    URL,
    "rollbook.webhook_endpoints.set_rules",
    permission="webhook_endpoints:write",
    parameters=parameters_of.SetRules,
    answers="rollbook.webhook_endpoint",
)
async def set_rules(context: RequestContext) -> Reply:
    """Set the delivery rules of a webhook endpoint.

    Rules that are not sent keep their values.
    """
    patch = context.parse(parameters_of.SetRules).patch()
    id = context.match["webhook_endpoint"]

    async def act(unit: UnitOfWork) -> Reply:
        state = await commands_of.set_rules(unit, id, patch)
        return Reply(200, dumps({**await _status_of(context, id), **asdict(state.rules)}))

    return await context.transact(act, serialized_on=(ENDPOINT.stream(id),))


async def _status_of(context: RequestContext, id: str) -> dict[str, Any]:
    """How an endpoint stands. Raises Missing."""
    found = await context.pipeline.statuses.of(context.caller.scope, [id])
    if id not in found:
        raise Missing("webhook endpoint", id)
    return found[id]


@operation(
    "POST",
    f"{URL}/roll_secret",
    "rollbook.webhook_endpoints.roll_secret",
    permission="webhook_endpoints:write",
    parameters=parameters_of.RollSecret,
    answers="webhook_endpoint",
)
async def roll_secret(context: RequestContext) -> Reply:
    """Roll the signing secret of a webhook endpoint.

    Only this response contains the new secret.
    """
    parameters = context.parse(parameters_of.RollSecret)
    id = context.match["webhook_endpoint"]

    async def act(unit: UnitOfWork) -> Reply:
        endpoint = await commands_of.roll_secret(unit, id, parameters.overlap * HOUR_S)
        return Reply(200, dumps(rendering.render_with_secret(endpoint, context.caller.livemode)))

    return await context.transact(act, serialized_on=(ENDPOINT.stream(id),))


@operation(
    "POST",
    f"{URL}/pause",
    "rollbook.webhook_endpoints.pause",
    permission="webhook_endpoints:write",
    parameters=parameters_of.PauseWebhookEndpoint,
    answers="rollbook.webhook_endpoint",
)
async def pause(context: RequestContext) -> Reply:
    """Pause a webhook endpoint.

    Its position is kept.
    """
    context.parse(parameters_of.PauseWebhookEndpoint)
    return await _change(context, commands_of.pause, await _pending(context))


@operation(
    "POST",
    f"{URL}/resume",
    "rollbook.webhook_endpoints.resume",
    permission="webhook_endpoints:write",
    parameters=parameters_of.ResumeWebhookEndpoint,
    answers="rollbook.webhook_endpoint",
)
async def resume(context: RequestContext) -> Reply:
    """Resume a webhook endpoint.

    Continues where the endpoint was stopped unless `replay` says otherwise.
    """
    replay = context.parse(parameters_of.ResumeWebhookEndpoint).replay
    if replay is None and (await _status_of(context, context.match["webhook_endpoint"]))["missed"] == "skip":
        affected = await _pending(context)
    else:
        affected = 0 if replay == "skip" else await _to_send(context, latest=replay == "latest", pending=True)
    return await _change(context, partial(commands_of.resume, replay=replay), affected)


@operation(
    "POST",
    f"{URL}/recover",
    "rollbook.webhook_endpoints.recover",
    permission="webhook_endpoints:write",
    parameters=parameters_of.RecoverWebhookEndpoint,
    answers="rollbook.webhook_endpoint",
)
async def recover(context: RequestContext) -> Reply:
    """Recover the missed events of a webhook endpoint.

    Events that were not delivered are sent again, behind live events.
    """
    parameters = context.parse(parameters_of.RecoverWebhookEndpoint)
    parameters.check()
    command = partial(commands_of.recover, position=parameters.position, since=parameters.since)
    since = None if parameters.since is None else datetime.fromtimestamp(parameters.since, UTC)
    return await _change(context, command, await _to_send(context, above=parameters.position or 0, since=since))


@operation(
    "POST",
    f"{URL}/cancel_pending",
    "rollbook.webhook_endpoints.cancel_pending",
    permission="webhook_endpoints:write",
    parameters=parameters_of.CancelPending,
    answers="rollbook.webhook_endpoint",
)
async def cancel_pending(context: RequestContext) -> Reply:
    """Cancel the pending deliveries of a webhook endpoint.

    Attempts in flight may still arrive.
    """
    context.parse(parameters_of.CancelPending)
    return await _change(context, commands_of.cancel_pending, await _pending(context))


@operation(
    "POST",
    f"{URL}/test",
    "rollbook.webhook_endpoints.test",
    permission="webhook_endpoints:write",
    parameters=parameters_of.TestWebhookEndpoint,
    answers="event",
)
async def test(context: RequestContext) -> Reply:
    """Send a test event to a webhook endpoint.

    No other endpoint receives it. The event is returned.
    """
    context.parse(parameters_of.TestWebhookEndpoint)
    id = context.match["webhook_endpoint"]

    async def act(unit: UnitOfWork) -> Reply:
        await commands_of.send_test(unit, id)
        rows: Rows = unit.rows_of(ENDPOINT, id)
        return Reply(200, with_pending(rows.notices[0].body, 1))

    return await context.transact(act, serialized_on=(ENDPOINT.stream(id),))


async def _pending(context: RequestContext) -> int:
    """How many deliveries are pending for the endpoint. Raises Missing."""
    pending: int = (await _status_of(context, context.match["webhook_endpoint"]))["pending_deliveries"]
    return pending


async def _to_send(context: RequestContext, **which: Any) -> int:
    """How many events the endpoint will be sent; see Statuses.to_send."""
    caller = context.caller
    return await context.pipeline.statuses.to_send(caller.scope, context.match["webhook_endpoint"], **which)


async def _change(
    context: RequestContext, change: Callable[[UnitOfWork, str], Awaitable[Endpoint]], affected: int
) -> Reply:
    """Change an endpoint; the answer is how it stands then, with how many deliveries or events that is about."""
    id = context.match["webhook_endpoint"]

    async def act(unit: UnitOfWork) -> Reply:
        state = await change(unit, id)
        shown_status = await _status_of(context, id)
        first = {"id": id, "object": shown_status["object"], "affected": affected}
        status = "disabled" if state.disabled else "enabled"
        return Reply(200, dumps({**first, **shown_status, "status": status}))

    return await context.transact(act, serialized_on=(ENDPOINT.stream(id),))
