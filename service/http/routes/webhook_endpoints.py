"""`/v1/webhook_endpoints`: create, update, delete, retrieve, list."""

import os

from events import ids
from events.errors import ConstraintBroken, Missing, Refusal
from events.transact import other_mode_hint
from events.unit_of_work import UnitOfWork
from projections.read import UnknownCursor
from projections.rows import dumps
from service.http import expand, pagination, resources
from service.http.operation import Operations
from service.http.params import webhook_endpoint as parameters_of
from service.http.pipeline import RequestContext
from service.http.reply import Reply
from webhooks.endpoints import rendering
from webhooks.endpoints.endpoint import ENDPOINT, CreateEndpoint, DeleteEndpoint, Endpoint, UpdateEndpoint
from webhooks.post import signature

operation = Operations()
URL = "/v1/webhook_endpoints"
KIND = "webhook_endpoint"


@operation(
    "POST",
    URL,
    "webhook_endpoints.create",
    permission="webhook_endpoints:write",
    parameters=parameters_of.CreateWebhookEndpoint,
    answers="webhook_endpoint",
)
async def create(context: RequestContext) -> Reply:
    """Create a webhook endpoint.

    Only this response contains the signing secret.
    """
    parameters = context.parse(parameters_of.CreateWebhookEndpoint)
    expand.paths(context, parameters.expand, KIND)
    caller = context.caller
    context.pipeline.policy.vet_url(parameters.url, livemode=caller.livemode)
    origin = context.begin()
    id = ids.new("we", os.urandom(ids.ID_BYTES))
    command = CreateEndpoint(
        id=id,
        created_at=int(origin.at.timestamp()),
        api_version=parameters.api_version,
        secret=signature.new_secret(os.urandom(signature.SECRET_BYTES)),
        patch=parameters.patch(),
    )

    async def act(unit: UnitOfWork) -> Reply:
        unit.begin(ENDPOINT, id)
        shown = rendering.render_with_secret(unit.do(ENDPOINT, id, command), caller.livemode)
        return Reply(status=200, body=dumps(shown))

    try:
        return await context.transact(act, origin)
    except ConstraintBroken:
        raise Refusal("You have reached the maximum of 16 webhook endpoints in this mode.") from None


@operation(
    "POST",
    f"{URL}/{{webhook_endpoint}}",
    "webhook_endpoints.update",
    permission="webhook_endpoints:write",
    parameters=parameters_of.UpdateWebhookEndpoint,
    answers="webhook_endpoint",
)
async def update(context: RequestContext) -> Reply:
    """Update a webhook endpoint.

    Pending deliveries use the new values from their next attempt.
    """
    parameters = context.parse(parameters_of.UpdateWebhookEndpoint)
    expand.paths(context, parameters.expand, KIND)
    if parameters.url is not None:
        context.pipeline.policy.vet_url(parameters.url, livemode=context.caller.livemode)
    id = context.match["webhook_endpoint"]

    def answer(unit: UnitOfWork, state: Endpoint) -> Reply:
        shown = rendering.render(state, context.caller.livemode)
        return Reply(status=200, body=dumps(shown))

    return await resources.change(context, ENDPOINT, id, UpdateEndpoint(id=id, patch=parameters.patch()), answer)


@operation(
    "DELETE",
    f"{URL}/{{webhook_endpoint}}",
    "webhook_endpoints.delete",
    permission="webhook_endpoints:write",
    parameters=parameters_of.DeleteWebhookEndpoint,
    answers="deleted_webhook_endpoint",
)
async def delete(context: RequestContext) -> Reply:
    """Delete a webhook endpoint.

    Its pending deliveries are dropped.
    """
    expand.paths(context, context.parse(parameters_of.DeleteWebhookEndpoint).expand, KIND)
    id = context.match["webhook_endpoint"]

    def answer(unit: UnitOfWork, state: Endpoint) -> Reply:
        return Reply(status=200, body=dumps(rendering.render_deleted(id)))

    return await resources.change(context, ENDPOINT, id, DeleteEndpoint(id=id), answer)


@operation(
    "GET",
    f"{URL}/{{webhook_endpoint}}",
    "webhook_endpoints.retrieve",
    permission="webhook_endpoints:read",
    parameters=parameters_of.RetrieveWebhookEndpoint,
    answers="webhook_endpoint",
)
async def retrieve(context: RequestContext) -> Reply:
    """Retrieve a webhook endpoint.

    The signing secret is not included.
    """
    expand.paths(context, context.parse(parameters_of.RetrieveWebhookEndpoint).expand, KIND)
    caller, id = context.caller, context.match["webhook_endpoint"]
    body = await context.pipeline.reader.resource(caller.scope, KIND, id)
    if body is None:
        there = await context.pipeline.reader.resource(caller.scope.other_mode, KIND, id)
        raise Missing("webhook endpoint", id, hint=other_mode_hint(caller.livemode) if there else "")
    return Reply(status=200, body=body)


@operation(
    "GET",
    URL,
    "webhook_endpoints.list",
    permission="webhook_endpoints:read",
    parameters=parameters_of.ListWebhookEndpoints,
    answers="list.webhook_endpoint",
)
async def list_all(context: RequestContext) -> Reply:
    """List webhook endpoints.

    Newest first.
    """
    parameters = context.parse(parameters_of.ListWebhookEndpoints)
    page, caller = parameters.page(), context.caller
    expand.paths(context, parameters.expand, KIND, in_list=True)
    try:
        found = await context.pipeline.reader.resources(caller.scope, KIND, page)
    except UnknownCursor:
        raise pagination.unknown_cursor("webhook endpoint", page) from None
    total = None
    if expand.counted(parameters.expand):
        total = await context.pipeline.reader.count_resources(caller.scope, KIND, page)
    return Reply(status=200, body=pagination.list_body(URL, found.bodies, found.has_more, total))
