"""Response headers of every answer: no caching, no content sniffing, CORS."""

from collections.abc import MutableMapping

from multidict import istr

NO_SNIFFING = istr("X-Content-Type-Options")
OF_ANYTHING = (
    (istr("Server"), "Rollbook"),
    (istr("Cache-Control"), "no-cache, no-store"),  # personal data, and keys that are shown once
    (NO_SNIFFING, "nosniff"),
)
EXPOSED = (
    "Request-Id, Stripe-Version, Stripe-Should-Retry, Stripe-Rate-Limited-Reason, Retry-After, Idempotency-Key, "
    "Idempotent-Replayed, Original-Request, Rollbook-Position"
)
CORS = (
    (istr("Access-Control-Allow-Origin"), "*"),
    (istr("Access-Control-Expose-Headers"), EXPOSED),
)
OF_THE_API = (*OF_ANYTHING, *CORS, (istr("Content-Type"), "application/json"))


def complete(headers: MutableMapping[str, str]) -> None:
    """Add what the answer of a route that is not the API's lacks."""
    if NO_SNIFFING not in headers:
        for name, value in OF_ANYTHING:
            headers.setdefault(name, value)
