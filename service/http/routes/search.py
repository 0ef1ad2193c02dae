"""`/v1/customers/search`: find customers by what is known of them.

What is found follows the log: a change shows up some milliseconds after its answer. A page's token goes with its query,
account and mode, and with no others.
"""

import base64
import hmac
import struct

from events import customer
from events.errors import Refusal
from projections.search import query as language
from projections.search.find import BEGINNING, Cursor
from service.http import expand, pagination, resources
from service.http.operation import Operations
from service.http.params import search as parameters_of
from service.http.pipeline import RequestContext
from service.http.reply import Reply

operation = Operations()
URL = "/v1/customers/search"
CURSOR = struct.Struct(">qq")
SEAL_BYTES = 16


@operation(
    "GET",
    URL,
    "customers.search",
    permission="customers:read",
    parameters=parameters_of.SearchCustomers,
    answers="search_result.customer",
)
async def search(context: RequestContext) -> Reply:
    """Search customers.

    Newest first.
    """
    parameters = context.parse(parameters_of.SearchCustomers)
    query = language.parse(parameters.query)
    tree = expand.paths(context, parameters.expand, customer.KIND, in_list=True)
    after = BEGINNING if parameters.page is None else _cursor(context, parameters.query, parameters.page)
    caller, finder = context.caller, context.pipeline.finder
    total = None
    async with context.ticket.account_searches:  # what is ruled out may take seconds to look through
        found = await finder.page(caller.scope, query, parameters.limit, after)
        context.hold(found.bodies)
        if expand.counted(parameters.expand):
            total = await finder.count(caller.scope, query)
    bodies = await resources.expander(context).page(found.bodies, customer.KIND, tree)
    next = found.next if len(bodies) == len(found.bodies) else found.cursors[len(bodies) - 1]
    token = None if next is None else _token(context, parameters.query, next)
    return Reply(200, pagination.search_body(URL, bodies, token, total))


def _token(context: RequestContext, query: str, cursor: Cursor) -> str:
    packed = CURSOR.pack(*cursor)
    return base64.urlsafe_b64encode(packed + _seal(context, query, packed)).decode().rstrip("=")


def _cursor(context: RequestContext, query: str, token: str) -> Cursor:
    """Where the page that a token names begins. Raises Refusal for one that was not given for this query."""
    try:
        sealed = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True)
    except ValueError:  # no base64, or not even ASCII
        sealed = b""
    packed = sealed[: CURSOR.size]
    if len(packed) < CURSOR.size or not hmac.compare_digest(sealed[CURSOR.size :], _seal(context, query, packed)):
        raise Refusal("Invalid page: it is not the next page of this query.", param="page")
    return Cursor(*CURSOR.unpack(packed))


def _seal(context: RequestContext, query: str, packed: bytes) -> bytes:
    caller = context.caller
    said = f"{caller.account}\n{caller.livemode}\n{query}\n".encode() + packed
    return context.pipeline.master_keys.digest("search page", said)[:SEAL_BYTES]
