"""`/v1/events`: retrieve and list the events of the last 30 days."""

from events.errors import Missing
from events.transact import other_mode_hint
from projections.read import UnknownCursor
from service.http import expand, pagination
from service.http.operation import Operations
from service.http.params import event as parameters_of
from service.http.pipeline import RequestContext
from service.http.reply import Reply

operation = Operations()
URL = "/v1/events"


@operation(
    "GET",
    f"{URL}/{{event}}",
    "events.retrieve",
    permission="events:read",
    parameters=parameters_of.RetrieveEvent,
    answers="event",
)
async def retrieve(context: RequestContext) -> Reply:
    """Retrieve an event.

    An event never changes, except its count of pending webhooks.
    """
    expand.paths(context, context.parse(parameters_of.RetrieveEvent).expand, "event")
    caller, id = context.caller, context.match["event"]
    body = await context.pipeline.notices.one(caller.scope, id, whole_coupons=context.whole_coupons)
    if body is None:
        there = await context.pipeline.notices.one(caller.scope.other_mode, id)
        raise Missing("event", id, hint=other_mode_hint(caller.livemode) if there else "")
    return Reply(status=200, body=body)


@operation(
    "GET", URL, "events.list", permission="events:read", parameters=parameters_of.ListEvents, answers="list.event"
)
async def list_all(context: RequestContext) -> Reply:
    """List events.

    Newest first. Events are kept for 30 days.
    """
    parameters = context.parse(parameters_of.ListEvents)
    page, caller = parameters.page(), context.caller
    expand.paths(context, parameters.expand, "event", in_list=True)
    try:
        found = await context.pipeline.notices.page(
            caller.scope,
            page,
            types=parameters.wanted(),
            delivered=parameters.delivery_success,
            whole_coupons=context.whole_coupons,
        )
    except UnknownCursor:
        raise pagination.unknown_cursor("event", page) from None
    context.hold(found.bodies)
    total = None
    if expand.counted(parameters.expand):
        total = await context.pipeline.notices.count(
            caller.scope, page, types=parameters.wanted(), delivered=parameters.delivery_success
        )
    return Reply(status=200, body=pagination.list_body(URL, found.bodies, found.has_more, total))
