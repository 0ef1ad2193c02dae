"""The aiohttp application: the route table of the API, with a 404 for everything else."""

import itertools
from collections.abc import Iterable, Iterator

from aiohttp import web

from service.http import cors, docs
from service.http.docs import landing
from service.http.operation import Operation
from service.http.pipeline import Pipeline, RequestContext, Route
from service.http.reply import Reply
from service.http.routes import (
    audit,
    audit_proofs,
    balance_transactions,
    cash_balances,
    coupons,
    customers,
    deliveries,
    discounts,
    events,
    feed,
    funding_instructions,
    payment_methods,
    promotion_codes,
    redaction_jobs,
    rollbook_webhook_endpoints,
    search,
    sources,
    subscriptions,
    tax_ids,
    testclocks,
    tokens,
    webhook_endpoints,
)

# A path that is spelled out stands before one with an id in the same segment; and customers before all that belongs to
# them, for whatever begins with the same words is looked through in this order, and they are asked for the most.
MODULES = (
    search,
    customers,
    audit_proofs,
    audit,
    balance_transactions,
    cash_balances,
    coupons,
    deliveries,
    discounts,
    events,
    feed,
    funding_instructions,
    rollbook_webhook_endpoints,
    payment_methods,
    promotion_codes,
    redaction_jobs,
    sources,
    subscriptions,
    tax_ids,
    testclocks,
    tokens,
    webhook_endpoints,
)
ANY_PATH = "/{path:(?s:.*)}"  # with escaped line ends too
SEARCH = "customers.search"  # its requests cost the most, and have a rate limit of their own
OPERATIONS: tuple[Operation, ...] = tuple(operation for module in MODULES for operation in module.operation)


def routes(pipeline: Pipeline, *, example_key: str) -> list[web.RouteDef]:
    """The API's description of itself, whose examples use `example_key`, and every route; the last takes the rest."""
    opened = [
        web.route(
            operation.method,
            operation.path,
            pipeline.handler_for(
                operation.name,
                operation.permission,
                _page(operation.route) if _is_page(operation) else operation.route,
                publishable=operation.publishable,
                rate_max=pipeline.admission.bounds.search_rate_max if operation.name == SEARCH else 0,
                beside=operation.beside,
            ),
            expect_handler=_expect_later,
            **({"allow_head": False} if operation.method == "GET" else {}),
        )
        for operation in _by_path(OPERATIONS)
    ]
    unknown = pipeline.handler_for("unknown", "", None)
    preflights = cors.preflights(unknown, pipeline.metrics.requests.of("preflight"))
    last = [
        web.route(method, ANY_PATH, handler, expect_handler=_expect_later)
        for method, handler in (("OPTIONS", preflights), ("*", unknown))
    ]
    first = web.get("/", landing.reference(unknown), allow_head=False, expect_handler=_expect_later)
    return [first, *docs.routes(OPERATIONS, example_key), *opened, *last]


def _by_path(operations: Iterable[Operation]) -> Iterator[Operation]:
    """The operations of a path one after another, so that they make one resource of aiohttp's."""
    paths: dict[str, list[Operation]] = {}
    for operation in operations:
        paths.setdefault(operation.path, []).append(operation)
    return itertools.chain.from_iterable(paths.values())


def _is_page(operation: Operation) -> bool:
    answers = operation.answers
    return isinstance(answers, str) and answers.startswith(("list.", "search_result."))


def _page(route: Route) -> Route:
    """A route whose answers may be large: a key has few of them made at once, and none where there is no room."""

    async def within_bounds(context: RequestContext) -> Reply:
        async with context.ticket.pages:
            context.ticket.room()
            return await route(context)

    return within_bounds


async def _expect_later(request: web.Request) -> None:
    """Say nothing yet to a client that waits for `100 Continue`: the pipeline does, once the body is wanted."""
