"""The outcome of an attempt: an HTTP status, or a fault of the receiver or of our own.

Pure. A 2xx is success and everything else is failure (API reference, webhooks). Faults of our own say nothing of the
receiver. The sender makes outcomes; the lane, the retry schedule and the record of attempts read them.
"""

from dataclasses import dataclass
from http import HTTPStatus
from typing import Literal

OVERLOADED = frozenset(
    {
        HTTPStatus.TOO_MANY_REQUESTS,
        HTTPStatus.BAD_GATEWAY,
        HTTPStatus.SERVICE_UNAVAILABLE,
        HTTPStatus.GATEWAY_TIMEOUT,
    }
)

Fault = Literal[
    "dns",  # the name has no address
    "connect",  # refused, unreachable, or no connection in time
    "tls",  # no handshake, or a certificate that does not verify
    "timeout",  # no whole answer in time
    "reset",  # closed before the answer was whole
    "protocol",  # the answer is not HTTP, or its headers are longer than we read
    "address_refused",  # ours: policy forbids the URL or every address of its host
    "proxy",  # ours: the egress proxy is not there, or opens no way, and does not say that the receiver is to blame
    "resolver",  # ours: no name server of ours answers
    "exhausted",  # ours: no file handles, ports or buffers left
    "internal",  # ours: it could not be signed, or our own code failed
]
UNREACHABLE: frozenset[Fault] = frozenset({"dns", "connect", "tls", "timeout"})
OWN_FAULTS: frozenset[Fault] = frozenset({"address_refused", "proxy", "resolver", "exhausted", "internal"})
SHARED_FAULTS: frozenset[Fault] = frozenset({"proxy", "resolver", "exhausted"})  # by all endpoints


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What one attempt came to.

    `code` says more of a `fault`: see webhooks/explanation.py. `excerpt` is how the answer's body begins, as sent, at
    most 4 KiB; `retry_after` the header of that name.
    """

    duration_ms: int
    status: int | None = None
    fault: Fault | None = None
    code: str | None = None
    excerpt: bytes = b""
    retry_after: str | None = None

    @property
    def delivered(self) -> bool:
        """Whether the receiver took it: a 2xx, whatever follows it."""
        return self.fault is None and self.status is not None and 200 <= self.status < 300

    @property
    def own_fault(self) -> bool:
        """Whether it failed on our side, so that it says nothing of the receiver."""
        return self.fault in OWN_FAULTS

    @property
    def unreachable(self) -> bool:
        """Whether the receiver could not be reached, or kept us waiting to the end."""
        return self.fault in UNREACHABLE

    @property
    def overloaded(self) -> bool:
        """Whether the receiver has more to do than it can, by its answer or by its silence."""
        return self.fault == "timeout" or self.status in OVERLOADED

    @property
    def gone(self) -> bool:
        """Whether the receiver says that there is nothing at this address, for good (RFC 9110, 410)."""
        return self.fault is None and self.status == HTTPStatus.GONE
