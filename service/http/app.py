"""The routes, and what surrounds them: answers to what is no HTTP, no route, no health."""

import os
from http import HTTPStatus

from aiohttp import HttpVersion11, web
from aiohttp.http_exceptions import BadHttpMethod, HttpProcessingError
from aiohttp.web_protocol import RequestHandler
from aiohttp.web_server import Server

from events import ids
from events.errors import Refusal
from service.http import docs, refusals
from service.http.door import Door
from service.http.operation import Operation
from service.http.routes import (
    balance_transactions,
    cash_balances,
    coupons,
    customers,
    deliveries,
    discounts,
    events,
    feed,
    own_webhook_endpoints,
    payment_methods,
    promotion_codes,
    search,
    sources,
    subscriptions,
    tax_ids,
    test_clocks,
    tokens,
    webhook_endpoints,
)

# A path that is spelled out stands before one with an id in the same place; and customers before all that belongs to
# them, for whatever begins with the same words is looked through in this order, and they are asked for the most.
MODULES = (
    search,
    customers,
    balance_transactions,
    cash_balances,
    coupons,
    deliveries,
    discounts,
    events,
    feed,
    own_webhook_endpoints,
    payment_methods,
    promotion_codes,
    sources,
    subscriptions,
    tax_ids,
    test_clocks,
    tokens,
    webhook_endpoints,
)
OPERATIONS: tuple[Operation, ...] = tuple(operation for module in MODULES for operation in module.OPERATIONS)


def routes(door: Door) -> list[web.RouteDef]:
    """The API's description of itself, and every route of the API; whatever has none is answered by the last."""
    opened = [
        web.route(
            operation.method,
            operation.path,
            door.opens(
                operation.name,
                operation.right,
                operation.route,
                publishable=operation.publishable,
                beside=operation.beside,
            ),
            expect_handler=_expect,
        )
        for operation in OPERATIONS
    ]
    unknown = web.route("*", "/{path:.*}", door.opens("unknown", "", None), expect_handler=_expect)
    return [*docs.routes(OPERATIONS), *opened, unknown]


async def _expect(request: web.Request) -> None:
    """Say that the body may come to those who wait to hear it; other expectations are not ours to meet (RFC 9110)."""
    if request.headers["Expect"].lower() == "100-continue" and request.version >= HttpVersion11:
        await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        request.writer.output_size = 0  # nothing of the answer proper is sent yet


class ApiRunner(web.AppRunner):
    """Serves an application by our own protocol."""

    async def _make_server(self) -> Server:
        server = await super()._make_server()
        return _ApiServer(
            server.request_handler, request_factory=server.request_factory, loop=server._loop, **server._kwargs
        )


class _ApiServer(Server):
    def __call__(self) -> RequestHandler:
        return _Protocol(self, loop=self._loop, **self._kwargs)


class _Protocol(RequestHandler):
    """HTTP as aiohttp speaks it, except that what never reaches a route is refused in the API's form too."""

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        if exc is not None and status < HTTPStatus.INTERNAL_SERVER_ERROR:  # it quotes what was sent, and is logged
            exc = BadHttpMethod("") if isinstance(exc, BadHttpMethod) else HttpProcessingError(code=status)
        answer = super().handle_error(request, status, exc, message)
        return _in_form(answer) if isinstance(answer, web.Response) else answer

    async def finish_response(
        self, request: web.BaseRequest, resp: web.StreamResponse, start_time: float | None
    ) -> tuple[web.StreamResponse, bool]:
        if isinstance(resp, web.HTTPException):  # from the router: a CONNECT has no path to find a route by
            resp = _in_form(resp)
        return await super().finish_response(request, resp, start_time)


def _in_form(answer: web.Response) -> web.Response:
    """An answer of aiohttp's own, in the API's form."""
    if answer.status < HTTPStatus.INTERNAL_SERVER_ERROR:
        error: Exception = Refusal("This request could not be read as HTTP/1.1 for any route of this API.")
    else:
        error = RuntimeError(answer.reason)
    request_id = ids.new("req", os.urandom(ids.ID_BYTES))
    ours = web.Response(
        status=answer.status,
        headers={"Request-Id": request_id},
        body=refusals.reply(error, request_id, False).body,
        content_type="application/json",
    )
    ours.force_close()
    return ours
