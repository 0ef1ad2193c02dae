"""`/v1/rollbook/webhook_endpoints`: what an endpoint's owner can do that the API reference does not know of."""

import os

from events.decider import Reply
from projections.notices import with_pending
from projections.rendering import dumps
from projections.rows import Rows
from service.http.door import Call
from service.http.operation import Operation
from service.http.params import own_webhook_endpoint as parameters_of
from webhooks import endpoint, signature
from webhooks.endpoint import Endpoint, RecoverEndpoint, ResumeEndpoint, RollSecret, SendTest, UpdateEndpoint
from webhooks.endpoints import ENDPOINT

URL = "/v1/rollbook/webhook_endpoints/{webhook_endpoint}"
HOUR_S = 3600


async def roll_secret(call: Call) -> Reply:
    """Give an endpoint a new secret; the only answer that shows it."""
    parameters = call.parse(parameters_of.RollSecret)
    id, origin = call.match["webhook_endpoint"], call.begin()
    command = RollSecret(
        id=id,
        at=int(origin.at.timestamp()),
        overlap_s=parameters.overlap * HOUR_S,
        secret=signature.new_secret(os.urandom(signature.SECRET_BYTES)),
    )

    def reply(state: Endpoint, rows: Rows | None) -> Reply:
        return Reply(200, dumps(endpoint.render_with_secret(state, call.caller.livemode)))

    return await call.door.executor.update(ENDPOINT, id, command, origin, reply=reply, key_use=call.key_use)


async def pause(call: Call) -> Reply:
    """Stop sending to an endpoint; it keeps its place."""
    call.parse(parameters_of.PauseWebhookEndpoint)
    return await _change(call, UpdateEndpoint(id=call.match["webhook_endpoint"], patch={"disabled": True}))


async def resume(call: Call) -> Reply:
    """Go on sending to an endpoint, from where it was stopped unless told otherwise."""
    parameters = call.parse(parameters_of.ResumeWebhookEndpoint)
    return await _change(call, ResumeEndpoint(id=call.match["webhook_endpoint"], replay=parameters.replay))


async def recover(call: Call) -> Reply:
    """Send an endpoint once more what it has not taken, however much that is; live events do not wait for it."""
    parameters = call.parse(parameters_of.RecoverWebhookEndpoint)
    parameters.check()
    id = call.match["webhook_endpoint"]
    return await _change(call, RecoverEndpoint(id=id, position=parameters.position, since=parameters.since))


async def test(call: Call) -> Reply:
    """Send an endpoint an event that tests it, and no other; gives that event."""
    call.parse(parameters_of.TestWebhookEndpoint)
    id = call.match["webhook_endpoint"]

    def reply(state: Endpoint, rows: Rows | None) -> Reply:
        assert rows is not None, "a test is always told of"
        return Reply(200, with_pending(rows.notices[0].body, 1))

    return await call.door.executor.update(
        ENDPOINT, id, SendTest(id=id), call.begin(), reply=reply, key_use=call.key_use
    )


async def _change(call: Call, command: UpdateEndpoint | ResumeEndpoint | RecoverEndpoint) -> Reply:
    def reply(state: Endpoint, rows: Rows | None) -> Reply:
        return Reply(200, dumps(endpoint.render(state, call.caller.livemode)))

    return await call.door.executor.update(
        ENDPOINT, command.id, command, call.begin(), reply=reply, key_use=call.key_use
    )


OPERATIONS = (
    Operation(
        method="POST",
        path=f"{URL}/pause",
        name="rollbook.webhook_endpoints.pause",
        right="webhook_endpoints:write",
        route=pause,
        parameters=parameters_of.PauseWebhookEndpoint,
        answers="webhook_endpoint",
    ),
    Operation(
        method="POST",
        path=f"{URL}/recover",
        name="rollbook.webhook_endpoints.recover",
        right="webhook_endpoints:write",
        route=recover,
        parameters=parameters_of.RecoverWebhookEndpoint,
        answers="webhook_endpoint",
    ),
    Operation(
        method="POST",
        path=f"{URL}/resume",
        name="rollbook.webhook_endpoints.resume",
        right="webhook_endpoints:write",
        route=resume,
        parameters=parameters_of.ResumeWebhookEndpoint,
        answers="webhook_endpoint",
    ),
    Operation(
        method="POST",
        path=f"{URL}/roll_secret",
        name="rollbook.webhook_endpoints.roll_secret",
        right="webhook_endpoints:write",
        route=roll_secret,
        parameters=parameters_of.RollSecret,
        answers="webhook_endpoint",
    ),
    Operation(
        method="POST",
        path=f"{URL}/test",
        name="rollbook.webhook_endpoints.test",
        right="webhook_endpoints:write",
        route=test,
        parameters=parameters_of.TestWebhookEndpoint,
        answers="event",
    ),
)
