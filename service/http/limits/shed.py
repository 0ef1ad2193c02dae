"""Responses to shed requests: 429 if the key or account exceeds its limit, 503 if the process is overloaded.

A shed request has had no effect, and nothing is stored under its idempotency key: clients may retry it unchanged.
"""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Literal

from service.http.refusals import HttpRefusal

RETRY_AFTER_S = 1
LIMITED = (
    "Request rate limit exceeded: this key or account has too many requests in flight, or sends them too fast. "
    "Please retry with exponential backoff."
)

Limited = Literal["global-rate", "global-concurrency", "endpoint-rate", "endpoint-concurrency", "resource-specific"]


class Shed(HttpRefusal):
    """A request refused because of a limit before it began; `reason` is the label of that limit in metrics."""

    headers: Mapping[str, str]
    reason: str


class RateLimited(Shed):
    """The key or the account exceeds its limit."""

    status = HTTPStatus.TOO_MANY_REQUESTS

    def __init__(self, reason: str, limited: Limited, message: str = LIMITED) -> None:
        super().__init__(message, code="rate_limit")
        self.reason = reason
        self.headers = {
            "Stripe-Rate-Limited-Reason": limited,
            "Stripe-Should-Retry": "true",
            "Retry-After": str(RETRY_AFTER_S),
        }


class Overloaded(Shed):
    """The process is at its limit of concurrent work."""

    status = HTTPStatus.SERVICE_UNAVAILABLE
    type = "api_error"

    def __init__(self, reason: str) -> None:
        super().__init__("The service is overloaded at the moment. Please retry with exponential backoff.")
        self.reason = reason
        self.headers = {"Stripe-Should-Retry": "true", "Retry-After": str(RETRY_AFTER_S)}


class TimedOut(HttpRefusal):
    """The request timed out; whether it was carried out is unknown."""

    status = HTTPStatus.SERVICE_UNAVAILABLE
    type = "api_error"
    headers: Mapping[str, str]

    def __init__(self) -> None:
        super().__init__(
            "The request timed out; it may have been carried out. Please retry with the same idempotency key."
        )
        self.headers = {"Stripe-Should-Retry": "true", "Retry-After": str(RETRY_AFTER_S)}
