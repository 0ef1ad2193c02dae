"""The routes, and what surrounds them: answers to what is no HTTP, no route, no health."""

from typing import Any

from aiohttp import web
from aiohttp.web_protocol import RequestHandler
from aiohttp.web_server import Server

from events.errors import Refusal
from events.execute import Reply
from service.http import refusals
from service.http.door import Call, Door
from service.http.routes import customers, events, webhook_endpoints


def routes(door: Door) -> list[web.RouteDef]:
    """Every route of the API. A right reads `resource:read` or `resource:write`."""

    def api(method: str, path: str, name: str, right: str, route: Any) -> web.RouteDef:
        return web.route(method, path, door.opens(name, right, route))

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
        api("POST", "/v1/webhook_endpoints/{endpoint}", "webhook_endpoints.update", "webhook_endpoints:write",
            webhook_endpoints.update),
        api("GET", "/v1/webhook_endpoints/{endpoint}", "webhook_endpoints.retrieve", "webhook_endpoints:read",
            webhook_endpoints.retrieve),
        api("DELETE", "/v1/webhook_endpoints/{endpoint}", "webhook_endpoints.delete", "webhook_endpoints:write",
            webhook_endpoints.delete),
        web.route("*", "/{path:.*}", door.opens("unknown", "", _unknown)),
    ]  # fmt: skip


async def _unknown(call: Call) -> Reply:
    raise refusals.UnknownRoute(call.method, call.path)


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
    """HTTP as aiohttp speaks it, except that what cannot be parsed is refused in the API's form."""

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        answer = super().handle_error(request, status, exc, message)
        if status >= 500 or not isinstance(answer, web.Response):
            return answer
        answer.body = refusals.body(Refusal("This request could not be read as HTTP/1.1."), "", False)
        answer.content_type = "application/json"
        return answer
