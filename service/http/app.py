"""The routes, and what surrounds them: answers to what is no HTTP, no route, no health."""

import os
from http import HTTPStatus

from aiohttp import HttpVersion11, web
from aiohttp.web_protocol import RequestHandler
from aiohttp.web_server import Server

from events import ids
from events.errors import Refusal
from service.http import refusals
from service.http.door import Door, Route
from service.http.routes import customers, events, webhook_endpoints


def routes(door: Door) -> list[web.RouteDef]:
    """Every route of the API. A right reads `resource:read` or `resource:write`."""

    def api(method: str, path: str, name: str, right: str, route: Route | None) -> web.RouteDef:
        return web.route(method, path, door.opens(name, right, route), expect_handler=_expect)

    return [
        api("POST", "/v1/customers", "customers.create", "customers:write", customers.create),
        api("GET", "/v1/customers", "customers.list", "customers:read", customers.list_all),
        api("POST", "/v1/customers/{customer}", "customers.update", "customers:write", customers.update),
        api("GET", "/v1/customers/{customer}", "customers.retrieve", "customers:read", customers.retrieve),
        api("DELETE", "/v1/customers/{customer}", "customers.delete", "customers:write", customers.delete),
        api("GET", "/v1/events", "events.list", "events:read", events.list_all),
        api("GET", "/v1/events/{event}", "events.retrieve", "events:read", events.retrieve),
        api("POST", "/v1/webhook_endpoints", "webhook_endpoints.create", "webhook_endpoints:write",
            webhook_endpoints.create),
        api("GET", "/v1/webhook_endpoints", "webhook_endpoints.list", "webhook_endpoints:read",
            webhook_endpoints.list_all),
        api("POST", "/v1/webhook_endpoints/{webhook_endpoint}", "webhook_endpoints.update", "webhook_endpoints:write",
            webhook_endpoints.update),
        api("GET", "/v1/webhook_endpoints/{webhook_endpoint}", "webhook_endpoints.retrieve", "webhook_endpoints:read",
            webhook_endpoints.retrieve),
        api("DELETE", "/v1/webhook_endpoints/{webhook_endpoint}", "webhook_endpoints.delete", "webhook_endpoints:write",
            webhook_endpoints.delete),
        api("*", "/{path:.*}", "unknown", "", None),
    ]  # fmt: skip


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
