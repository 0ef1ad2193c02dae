"""`/v1/webhook_endpoints`: create, update, delete, retrieve, list."""

from events.errors import ConstraintBroken, Missing
from events.transact import other_mode_hint
from events.unit_of_work import UnitOfWork
from projections.read import UnknownCursor
from projections.rows import dumps
from service.commands import webhook_endpoints as commands_of
from service.http import expand, pagination
from service.http.operation import Operations
from service.http.params import webhook_endpoint as parameters_of
from service.http.pipeline import RequestContext
from service.http.reply import Reply
from webhooks.endpoints import rendering
from webhooks.endpoints.endpoint import ENDPOINT

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

    async def act(unit: UnitOfWork) -> Reply:
        endpoint = await commands_of.create(unit, parameters.api_version, parameters.patch())
        return Reply(200, dumps(rendering.render_with_secret(endpoint, caller.livemode)))

    try:
        return await context.transact(act)
    except ConstraintBroken:
        raise commands_of.too_many() from None


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

    async def act(unit: UnitOfWork) -> Reply:
        endpoint = await commands_of.update(unit, id, parameters.patch())
        return Reply(200, dumps(rendering.render(endpoint, context.caller.livemode)))

    return await context.transact(act, serialized_on=(ENDPOINT.stream(id),))


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

    async def act(unit: UnitOfWork) -> Reply:
        await commands_of.delete(unit, id)
        return Reply(200, dumps(rendering.render_deleted(id)))

    return await context.transact(act, serialized_on=(ENDPOINT.stream(id),))


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
