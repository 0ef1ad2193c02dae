"""`/v1/events`: retrieve and list the notices of the last 30 days."""

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
async def retrieve(call: RequestContext) -> Reply:
    """Retrieve an event.

    An event never changes, except its count of pending webhooks.
    """
    expand.paths(call, call.parse(parameters_of.RetrieveEvent).expand, "event")
    caller, id = call.caller, call.match["event"]
    body = await call.pipeline.notices.one(caller.scope, id)
    if body is None:
        there = await call.pipeline.notices.one(caller.scope.other_mode, id)
        raise Missing("event", id, hint=other_mode_hint(caller.livemode) if there else "")
    return Reply(status=200, body=body)


@operation(
    "GET", URL, "events.list", permission="events:read", parameters=parameters_of.ListEvents, answers="list.event"
)
async def list_all(call: RequestContext) -> Reply:
    """List events.

    Newest first. Events are kept for 30 days.
    """
    parameters = call.parse(parameters_of.ListEvents)
    page, caller = parameters.page(), call.caller
    expand.paths(call, parameters.expand, "event", in_list=True)
    try:
        found = await call.pipeline.notices.page(
            caller.scope, page, types=parameters.wanted(), delivered=parameters.delivery_success
        )
    except UnknownCursor:
        raise pagination.unknown_cursor("event", page) from None
    call.hold(found.bodies)
    total = None
    if expand.counted(parameters.expand):
        total = await call.pipeline.notices.count(
            caller.scope, page, types=parameters.wanted(), delivered=parameters.delivery_success
        )
    return Reply(status=200, body=pagination.list_body(URL, found.bodies, found.has_more, total))
