"""`/v1/rollbook/audit`: the history of objects for auditors; each read is recorded as an event of the audit trail."""

from collections.abc import Mapping

from events import cloudevents
from events.errors import Missing, Refusal
from events.history import StreamHead
from projections.rows import dumps
from service import audit_rendering as rendering
from service.commands.audit import record_read
from service.history import Kind, Moment, State
from service.history_kinds import KINDS
from service.http import pagination
from service.http.operation import Operations
from service.http.params import audit as parameters_of
from service.http.pipeline import RequestContext
from service.http.refusals import UnknownRoute
from service.http.reply import Reply
from service.http.routes.feed import NDJSON, POSITION, NotThereYet

operation = Operations()
HEAD = "Rollbook-Head"
PERMISSION = "audit:read"
URL = "/v1/rollbook/audit/{kind}/{object}"


@operation(
    "GET",
    f"{URL}/events",
    "audit.events",
    permission=PERMISSION,
    parameters=parameters_of.ListAuditEvents,
    answers="list.rollbook.audit.event",
)
async def events(context: RequestContext) -> Reply:
    """List the events of an object.

    Newest first, with who caused each and what it changed; of deleted objects too. Reading is itself an event of the
    audit trail. `kind` is the collection: `customers`, `coupons`, `promotion_codes`, `payment_methods`, `tokens`,
    `tax_ids` (of the account), `test_clocks`, `webhook_endpoints`, `subscribers`, `api_keys`,
    `redaction_jobs` or `audit_trails`.
    """
    parameters = context.parse(parameters_of.ListAuditEvents)
    parameters.check()
    kind, id, scope, history = _kind(context), context.match["object"], context.caller.scope, context.pipeline.history
    async with context.ticket.account_pages:
        context.ticket.room()
        stream, head = await _read(context, kind, id, parameters.model_dump())
        bounds = await history.bounds(
            stream, head, parameters.limit, parameters.starting_after, parameters.ending_before
        )
        found = [each async for each in history.events(kind, stream, head, bounds.first, bounds.last)]
        who = await rendering.actors(context.pipeline.reader, scope, (each.record.origin.actor for each in found))
        bodies = [dumps(rendering.event(each, who)) for each in reversed(found)]
    context.hold(bodies)
    return Reply(200, pagination.list_body(context.path, bodies, bounds.has_more))


@operation(
    "GET",
    URL,
    "audit.state",
    permission=PERMISSION,
    parameters=parameters_of.RetrieveAuditState,
    answers=("rollbook.audit.state", "rollbook.audit.difference"),
)
async def state(context: RequestContext) -> Reply:
    """Retrieve an object as it was.

    At a version, a position or a time; with `to`, the difference between the two. Of balance transactions the newest
    100 are shown. Reading is itself an event of the audit trail.
    """
    parameters = context.parse(parameters_of.RetrieveAuditState)
    if parameters.to is not None and parameters.at is None:
        raise Refusal("Missing required param: at.", code="parameter_missing", param="at")
    kind, id, scope = _kind(context), context.match["object"], context.caller.scope
    async with context.ticket.account_pages:
        context.ticket.room()
        stream, head = await _read(context, kind, id, parameters.model_dump())
        at = await _state(context, kind, stream, head, parameters.at, "at")
        if parameters.to is None:
            if at is None:
                raise Missing(kind.noun, id, hint=f" at {parameters.at}")
            shown = rendering.state(kind, id, scope, at)
        else:
            to = await _state(context, kind, stream, head, parameters.to, "to")
            if to is None or (at is not None and at.record.version > to.record.version):
                raise Refusal("This moment must not be before that of at.", param="to")
            shown = rendering.difference(kind, id, scope, at, to)
        body = dumps(shown)
    return Reply(200, body)


@operation(
    "GET",
    "/v1/rollbook/audit/log",
    "audit.log",
    permission=PERMISSION,
    parameters=parameters_of.ReadAuditLog,
    answers="audit_line",
)
async def log(context: RequestContext) -> Reply:
    """Read the audit log.

    Every event of the account and mode in the order of commits, a CloudEvents 1.0 object a line, canonical as in an
    export; personal fields stay encrypted. The header `Rollbook-Position` is the position to continue from: a response
    looks at up to 100,000 positions of the log for two seconds, so it may be empty before the end. `Rollbook-Head` is
    the newest position: where both are the same, that was the end. Reading is itself an event, unless nothing is shown
    but reads by the same key.
    """
    parameters = context.parse(parameters_of.ReadAuditLog)
    pipeline, caller = context.pipeline, context.caller
    wanted = parameters.wanted(pipeline.log_types)
    if parameters.customer is not None:
        try:
            await pipeline.history.head(KINDS["customers"], caller.scope, parameters.customer)
        except Missing as missing:
            raise Refusal(missing.message, code="resource_missing", param="customer") from None
    async with context.ticket.account_pages:
        context.ticket.room()
        portion = await pipeline.audit_log.read(caller.scope, parameters.after, parameters.limit, wanted)
        if parameters.after > portion.head:
            raise NotThereYet(parameters.after, portion.head)
        if any(each.type != "audit.read" or each.origin.actor != caller.key_id for each in portion.records):
            filters = parameters.model_dump(by_alias=True)
            await record_read(pipeline.executor, context.begin(), "audit.log", filters=filters)
        lines = [cloudevents.line(record) for record in portion.records]
    context.hold(lines)
    headers = (("Content-Type", NDJSON), (POSITION, str(portion.position)), (HEAD, str(portion.head)))
    return Reply(200, b"".join(lines), headers)


def _kind(context: RequestContext) -> Kind:
    kind = KINDS.get(context.match["kind"])
    if kind is None:
        raise UnknownRoute(context.method, context.path)
    return kind


async def _read(context: RequestContext, kind: Kind, id: str, filters: Mapping[str, object]) -> tuple[str, StreamHead]:
    """The stream of an object, and how far it goes; that it is read is recorded first. Raises Missing."""
    scope = context.caller.scope
    stream, head = kind.stream(scope, id), await context.pipeline.history.head(kind, scope, id)
    operation = "audit.events" if context.path.endswith("/events") else "audit.state"
    await record_read(context.pipeline.executor, context.begin(), operation, stream, filters)
    return stream, head


async def _state(
    context: RequestContext, kind: Kind, stream: str, head: StreamHead, at: str | None, param: str
) -> State | None:
    """The state at a moment; None before the first event."""
    history = context.pipeline.history
    version = head.version if at is None else await history.version(stream, head, Moment.parse(at), param)
    return await history.state(kind, stream, head, version) if version else None
