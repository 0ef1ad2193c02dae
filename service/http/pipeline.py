"""The request pipeline (middleware): admission control, authentication, API version, idempotency, and errors.

The order of checks is: authentication, API version, route, idempotency replay, parsing, unknown parameters, required
parameters, types, existence of the objects named, business rules. The first failure is the response. A failure is
stored under the idempotency key only once the request has begun to act. Every response has a Request-Id.
"""

import asyncio
import os
import time
from collections.abc import Awaitable, Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TypeVar

import structlog
from aiohttp import HttpVersion11, web
from multidict import CIMultiDict, CIMultiDictProxy, istr
from pydantic import BaseModel

from events import coupon, ids, trace
from events.audit_log import AuditLog
from events.clock import Clock
from events.errors import AlreadyAnswered, BrokenHistory, LockTimeout, LogUnavailable, Missing, Refusal
from events.keys import MasterKeys
from events.log import Log
from events.record import Origin, Receipt
from events.scope import Scope
from events.sealed_tree import SealedTree
from events.transact import Executor
from events.unit_of_work import UnitOfWork
from projections.api_version import differs
from projections.read import Reader
from projections.search.find import Finder
from service import api_versions
from service.commands.caller import Caller
from service.history import StreamHistory
from service.http import (
    answer_headers,
    api_version_rendering,
    cors,
    fingerprint,
    form,
    json_body,
    multipart,
    params,
    refusals,
)
from service.http.auth import Authenticator
from service.http.form import FormValue
from service.http.idempotency import KeyUse, Running, check_key
from service.http.large_body import PART_BYTES, LargeBody
from service.http.limits.admission import Admission, Ticket
from service.http.limits.shed import Shed, TimedOut
from service.http.permissions import ALWAYS, NOTHING, Beside, to_read
from service.http.reply import Reply
from service.masking import masked
from service.metrics import Metrics
from webhooks.endpoints.status import Statuses
from webhooks.feed.feed import Feed
from webhooks.feed.notices import Notices
from webhooks.post.ssrf import Policy
from webhooks.queue.deliveries import Deliveries

log = structlog.get_logger("service")

Model = TypeVar("Model", bound=BaseModel)
ID_CHARACTERS_MAX = 255
KEY_IN_USE_WAIT_S = 0.5  # for another request with the same idempotency key; clients retry after about as long
WITH_BODY = ("POST", "PUT")
WRITES = frozenset(("POST", "PUT", "DELETE"))
READ_COUPONS = to_read(coupon.KIND)
LARGE = 64 * 1024  # bytes; smaller bodies and responses are not counted in flight
OUR_OWN = "/v1/rollbook/"  # our own routes, not in Stripe's API reference; they accept JSON too
FORM = "application/x-www-form-urlencoded"
JSON = "application/json"
MULTIPART = "multipart/form-data"
UNTYPED = "application/octet-stream"
ANONYMOUS_BODY_BYTES_MAX = 64 * 1024  # of a request without a header, whose key may be in the body
TRACEPARENT = istr("traceparent")
REQUEST_ID = istr("Request-Id")
AUTHORIZATION, CONTENT_TYPE, EXPECT = istr("Authorization"), istr("Content-Type"), istr("Expect")


@dataclass(slots=True)
class RequestContext:
    """The context of one authenticated request, passed to its route."""

    pipeline: "Pipeline"
    method: str
    path: str
    request_id: str
    traceparent: str
    caller: Caller
    version: str
    raw: dict[str, FormValue]
    match: dict[str, str]
    beside: Beside
    ticket: Ticket
    authorization: str | None
    idempotency_key: str | None = None
    began: bool = field(default=False)  # from here on a refusal is stored under the idempotency key too
    key_use: KeyUse | None = None

    def parse(self, model: type[Model]) -> Model:
        """The parsed parameters, for which a restricted key has the permissions. Raises Refusal."""
        parameters = params.parse(model, self.raw)
        if self.beside and self.caller.key_type == "restricted":
            for name in sorted(parameters.model_fields_set & self.beside.keys()):
                if getattr(parameters, name) != "":  # an empty value unsets; it writes no other resource
                    for permission in self.beside[name]:
                        self.permit(permission)
        return parameters

    def permit(self, permission: str) -> None:
        """Check the permission of a restricted key. Raises PermissionDenied."""
        if self.caller.key_type == "restricted":
            self.pipeline.authenticator.permit(self.caller, permission)

    @property
    def whole_coupons(self) -> bool:
        """Whether the key may read the coupons that older versions show whole where newer ones have their ids."""
        return self.caller.key_type != "restricted" or self.pipeline.authenticator.permits(self.caller, READ_COUPONS)

    def hold(self, bodies: Sequence[bytes]) -> None:
        """Count what was read for the response as bytes in flight. Raises RateLimited or Overloaded if too many."""
        self.ticket.hold(sum(map(len, bodies)))

    def begin(self) -> Origin:
        """Begin to act: from here on a refusal is stored too. Gives the origin of the events to come."""
        self.began = True
        caller = self.caller
        return Origin(
            account=caller.account,
            livemode=caller.livemode,
            at=self.pipeline.clock.now(),
            actor=caller.key_id,
            request_id=self.request_id,
            idempotency_key=self.idempotency_key,
            correlation_id=self.request_id,
            traceparent=self.traceparent,
        )

    async def transact(
        self,
        act: Callable[[UnitOfWork], Awaitable[Reply]],
        origin: Origin | None = None,
        *,
        serialized_on: Iterable[str] = (),
    ) -> Reply:
        """Commit the changes of `act`, and the receipt of the idempotency key, atomically; see Executor.transact."""
        use = self.key_use
        return await self.pipeline.executor.transact(
            act,
            origin if origin is not None else self.begin(),
            serialized_on=serialized_on,
            record=use.receipt if use is not None else None,
        )


Route = Callable[[RequestContext], Awaitable[Reply]]


@dataclass(slots=True)
class Pipeline:
    """Makes request handlers of routes, and has the dependencies that routes use."""

    executor: Executor
    log: Log
    reader: Reader
    authenticator: Authenticator
    clock: Clock
    notices: Notices
    deliveries: Deliveries
    statuses: Statuses
    feed: Feed
    policy: Policy
    metrics: Metrics
    finder: Finder
    master_keys: MasterKeys
    admission: Admission
    history: StreamHistory
    tree: SealedTree
    audit_log: AuditLog
    log_types: Collection[str]  # of events
    default_version: str
    tax_countries: frozenset[str] = frozenset()  # where tax is collected
    running: Running = field(default_factory=Running)

    def handler_for(
        self,
        name: str,
        permission: str,
        route: Route | None,
        *,
        publishable: bool = False,
        beside: Beside = NOTHING,
        rate_max: int = 0,
    ) -> Callable[[web.Request], Awaitable[web.Response]]:
        """The request handler of a route that requires `permission`; `name` identifies it in metrics and log lines.

        Without a `route` every authenticated request gets a 404. If `publishable`, publishable keys are accepted, and
        the key may be sent as the parameter `key` too. `rate_max` limits the requests a second of a key to this route.
        """
        answered = self.metrics.requests.of(name)
        always = beside.get(ALWAYS, ())

        async def handle(request: web.Request) -> web.Response:
            started = time.perf_counter()
            request_id = ids.new("req", os.urandom(ids.ID_BYTES))
            traceparent = _traceparent(request.headers)
            headers = CIMultiDict(((REQUEST_ID, request_id), *answer_headers.OF_THE_API))
            actor, ticket, quiet = None, None, False
            try:
                ticket = self.admission.enter(started, writes=request.method in WRITES)
                request.protocol.begin(ticket)  # type: ignore[attr-defined]  # it is the protocol of limits.connections
                authorization, sent = request.headers.get(AUTHORIZATION), None
                if publishable and authorization is None:
                    authorization, sent = await self._key_sent_as_parameter(request, ticket)
                caller = await self.authenticator.caller(authorization, request.headers.get(cors.ORIGIN))
                actor = caller.key_id
                ticket.admit(caller, started, name, rate_max)
                if route is not None:
                    self.authenticator.permit(caller, permission, publishable=publishable)
                    for further in always:
                        self.authenticator.permit(caller, further)
                identified = (request_id, traceparent, caller, authorization, ticket)
                reply = await self._answer(request, identified, route, headers, beside, sent, publishable)
                status, body = reply.status, reply.body
                if request.method == "GET" and len(body) > max(LARGE, ticket.bytes):
                    ticket.hold(len(body) - ticket.bytes)
            except asyncio.CancelledError:
                if ticket is None or not ticket.overdue:
                    if ticket is not None:
                        ticket.release()
                    raise
                _go_on()
                late = TimedOut() if request.content.is_eof() else refusals.TooSlow()
                status, body = self._failed(late, name, request_id, headers)
            except Shed as shed:
                quiet = True  # no log line: there may be thousands a second
                self.admission.count(shed.reason)
                request.protocol.rest()  # type: ignore[attr-defined]  # it is the protocol of limits.connections
                status, body = self._failed(shed, name, request_id, headers)
            except Exception as error:  # any error is rendered as an error object of the API
                status, body = self._failed(error, name, request_id, headers)
            elapsed_s = time.perf_counter() - started
            answered(status, elapsed_s)
            if ticket is not None:
                ticket.answer(len(body) if len(body) > LARGE else 0)
                request.protocol.ticket = ticket  # type: ignore[attr-defined]  # it is the protocol of limits.connections
            if not quiet:
                log.info(
                    "request.answered",
                    route=name,
                    status=status,
                    elapsed_ms=round(elapsed_s * 1000, 2),
                    request=request_id,
                    trace=trace.id_of(traceparent),
                    actor=actor,
                )
            sent_in_parts = LargeBody(body, headers["Content-Type"]) if len(body) > PART_BYTES else body
            return web.Response(body=sent_in_parts, status=status, headers=headers)

        return handle

    async def _answer(
        self,
        request: web.Request,
        admitted: tuple[str, str, Caller, str | None, Ticket],
        route: Route | None,
        headers: CIMultiDict[str],
        beside: Beside,
        sent: dict[str, FormValue] | None = None,
        publishable: bool = False,
    ) -> Reply:
        """The reply to an authenticated request; `sent` are its parameters if they were read to find the key."""
        request_id, traceparent, caller, authorization, ticket = admitted
        version = api_versions.choose(request.headers.get("Stripe-Version"), self.default_version)
        headers["Stripe-Version"] = version
        account = request.headers.get("Stripe-Account")
        if account is not None:
            self.authenticator.permit_account(caller, account)
            headers["Stripe-Account"] = account
        if route is None:
            raise refusals.UnknownRoute(request.method, request.path)
        key = request.headers.get("Idempotency-Key") if request.method == "POST" else None
        if key is not None:
            check_key(key)
            headers["Idempotency-Key"] = key
        context = RequestContext(
            pipeline=self,
            method=request.method,
            path=request.path,
            request_id=request_id,
            traceparent=traceparent,
            caller=caller,
            version=version,
            raw=await self._parameters(request, ticket) if sent is None else sent,
            match=dict(request.match_info),
            beside=beside,
            ticket=ticket,
            authorization=authorization,
        )
        if publishable:
            context.raw.pop("key", None)
        _check_ids(context.match)
        if key is None:
            reply = await route(context)
        else:
            context.idempotency_key = key
            context.key_use = KeyUse(
                key=key,
                route=masked(f"{context.method} {context.path}"),
                fingerprint=fingerprint.of(
                    self.master_keys, context.method, context.path, context.raw, version, account
                ),
                request_id=request_id,
            )
            running = (caller.scope, key)
            first = await self._is_first(context, running)
            try:
                reply = await self._answer_once(context, context.key_use, route, headers)
            finally:
                if first:
                    self.running.end(running)
        headers.update(reply.headers)
        if differs(version) and reply.status == HTTPStatus.OK and headers["Content-Type"] == JSON:
            body = await api_version_rendering.rendered(
                reply.body, version, self.reader, caller, whole_coupons=context.whole_coupons
            )
            return reply._replace(body=body)
        return reply

    async def _is_first(self, context: RequestContext, running: tuple[Scope, str]) -> bool:
        """Lock the idempotency key; False if it has a receipt, which concurrent requests may replay.

        While the first request runs, others with its key wait for KEY_IN_USE_WAIT_S and then get a conflict. The limit
        is for that wait only, not for reading the receipt, so a slow database turns no replay into a conflict.
        Raises KeyInUse.
        """
        if self.running.begin(running):
            return True
        until = asyncio.get_running_loop().time() + KEY_IN_USE_WAIT_S
        while await self._receipt(context) is None:
            try:
                async with asyncio.timeout_at(until):
                    await self.running.wait(running)
            except TimeoutError:
                raise refusals.KeyInUse(running[1]) from None
            if self.running.begin(running):
                return True
        return False

    async def _answer_once(
        self, context: RequestContext, use: KeyUse, route: Route, headers: CIMultiDict[str]
    ) -> Reply:
        """The reply to a request with an idempotency key: acts at most once, and replays the first reply afterwards.

        No lookup comes first: in the round trip of the commit, the log refuses a key that has a receipt.
        """
        try:
            try:
                return await route(context)
            except (AlreadyAnswered, LogUnavailable, LockTimeout, Shed, refusals.PermissionDenied):
                raise  # transient errors are not stored, and a key without permission gets no replay
            except Exception as error:
                if not context.began:
                    raise
                if not isinstance(error, Refusal):
                    self._report(error, use.route, context.request_id)
                reply = refusals.reply(error)
                await self.executor.keep_refusal(context.begin(), use.receipt(reply))
                headers.update(refusals.headers(error))
                return reply
        except AlreadyAnswered:
            receipt = await self._receipt(context)
            if receipt is None:  # its 24 hours ended between the append and this read
                raise LogUnavailable("the receipt of this idempotency key expired during the request") from None
            return self._replay(receipt, use, headers)
        except (Shed, refusals.PermissionDenied):
            raise
        except Refusal:
            receipt = await self._receipt(context)  # a replay precedes errors of parsing
            if receipt is None:
                raise
            return self._replay(receipt, use, headers)

    async def _receipt(self, context: RequestContext) -> Receipt | None:
        assert context.idempotency_key is not None
        return await self.log.receipt(context.caller.scope, context.idempotency_key)

    @staticmethod
    def _replay(receipt: Receipt, use: KeyUse, headers: CIMultiDict[str]) -> Reply:
        if receipt.fingerprint != use.fingerprint:
            raise refusals.KeyReused(use.key, first_route=receipt.route, route=use.route)
        headers["Idempotent-Replayed"] = "true"
        headers["Original-Request"] = receipt.request_id
        return Reply(status=receipt.status, body=receipt.body)

    async def _key_sent_as_parameter(
        self, request: web.Request, ticket: Ticket
    ) -> tuple[str | None, dict[str, FormValue] | None]:
        """The Authorization header that the parameter `key` stands for, and the parameters if the body was read.

        A secret key is refused in a URL, which proxies write to their logs. The body, of a caller that is not yet
        authenticated, is limited to ANONYMOUS_BODY_BYTES_MAX.
        """
        query = request.rel_url.raw_query_string
        key = form.decode(query).get("key") if query else None
        if isinstance(key, str) and key:
            if not key.startswith("pk_"):
                raise refusals.SecretKeyInUrl
            return f"Bearer {key}", None
        sent = await self._parameters(request, ticket, min(ANONYMOUS_BODY_BYTES_MAX, request.client_max_size))
        key = sent.get("key")
        return f"Bearer {key}" if isinstance(key, str) and key else None, sent

    async def _parameters(
        self, request: web.Request, ticket: Ticket, bytes_max: int | None = None
    ) -> dict[str, FormValue]:
        if request.method not in WITH_BODY:
            return form.decode(request.rel_url.raw_query_string) if request.rel_url.raw_query_string else {}
        bytes_max = request.client_max_size if bytes_max is None else bytes_max
        return _decoded(request, await self._body(request, ticket, bytes_max))

    async def _body(self, request: web.Request, ticket: Ticket, bytes_max: int) -> bytes:
        """The whole body. Raises TooLarge, RateLimited, Overloaded, ClientGone or Unreadable."""
        content = request.content
        try:
            if content.is_eof():  # usually it arrived with the headers
                body = content.read_nowait()
                if len(body) > bytes_max:
                    raise refusals.TooLarge
                return body
            length = request.content_length
            if (length or 0) > bytes_max:
                raise refusals.TooLarge
            expected = bytes_max if length is None else length
            if expected > LARGE:
                ticket.hold(expected)
            await _say_continue(request)
            read = bytearray()
            with ticket.arriving():
                while chunk := await content.readany():
                    read += chunk
                    if len(read) > bytes_max:
                        raise refusals.TooLarge
            return bytes(read)
        except OSError:
            raise refusals.ClientGone from None
        except web.RequestPayloadError:
            raise refusals.Unreadable from None

    def _failed(self, error: Exception, name: str, request_id: str, headers: CIMultiDict[str]) -> tuple[int, bytes]:
        if not isinstance(error, Refusal | LogUnavailable):
            self._report(error, name, request_id)
        reply = refusals.reply(error)
        headers.update(refusals.headers(error))
        return reply.status, reply.body

    def _report(self, error: Exception, route: str, request_id: str) -> None:
        log.error("request.failed", route=route, request=request_id, error=type(error).__name__, exc_info=error)
        if isinstance(error, BrokenHistory):
            self.metrics.broken_history.inc()


def _go_on() -> None:
    """Undo the cancellation by which the timeout ended the request, so that a response can be sent."""
    task = asyncio.current_task()
    assert task is not None, "requests are handled by tasks"
    task.uncancel()


def _traceparent(headers: CIMultiDictProxy[str]) -> str:
    """The span of the request, in the caller's trace; a new trace if there is no single traceparent."""
    random, sent = os.urandom(trace.RANDOM_BYTES), headers.get(TRACEPARENT)
    if sent is None or len(headers.getall(TRACEPARENT)) > 1:
        return trace.begin(random)
    return trace.go_on(sent, random)


def _check_ids(match: dict[str, str]) -> None:
    """Refuse ids that are too long or not printable before they reach the database. Raises Missing."""
    for kind, id in match.items():
        if len(id) > ID_CHARACTERS_MAX or not id.isprintable():
            raise Missing(kind.replace("_", " "), id.encode("ascii", "backslashreplace").decode()[:ID_CHARACTERS_MAX])


async def _say_continue(request: web.Request) -> None:
    """Send 100 Continue to a client that expects it (RFC 9110, section 10.1.1)."""
    if request.headers.get(EXPECT, "").lower() == "100-continue" and request.version >= HttpVersion11:
        await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        request.writer.output_size = 0  # the final response has not begun


def _decoded(request: web.Request, body: bytes) -> dict[str, FormValue]:
    """The parameters of the body and the query string; those of the body take precedence."""
    content_type = request.headers.get(CONTENT_TYPE)
    if content_type != FORM:  # the usual value needs no parsing
        content_type = request.content_type
    if content_type == MULTIPART:
        sent = multipart.decode(body, request.headers[CONTENT_TYPE])
    else:
        decode: Callable[[bytes], dict[str, FormValue]] = form.decode
        if content_type == JSON and request.path.startswith(OUR_OWN):
            decode = json_body.decode
        elif body and content_type != FORM and content_type != UNTYPED:
            raise refusals.WrongContentType(content_type)
        sent = decode(body) if body else {}
    query = request.rel_url.raw_query_string
    return {**form.decode(query), **sent} if query else sent
