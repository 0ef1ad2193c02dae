"""Distributed tracing: the trace context (W3C `traceparent`) from a request to its events, messages and webhooks.

`traceparent` is `00-{trace id}-{span id}-{flags}`, in lower-case hex: it names a trace and, in it, the span of who sent
it. We go on with the trace of a caller who has one and begin one otherwise; each of our own spans, a request or an
attempt, has an id of its own. Ids are made from random bytes that the caller brings.

`tracestate` is not passed on, as the specification allows: it is what the caller's tracing system passes itself, and
whoever receives a webhook is somebody else.
"""

import re

TRACE_BYTES, SPAN_BYTES = 16, 8
RANDOM_BYTES = TRACE_BYTES + SPAN_BYTES  # a trace of one's own takes

SAMPLED, RANDOM = 0x01, 0x02  # the flags there are; the latter is of level 2, and is passed on
OURS = "01"  # sampled: a receiver that goes by its caller's choice would else record nothing

# A later version may say more, after another hyphen; what it shares with ours is read ("Versioning of traceparent").
TRACEPARENT = re.compile(
    r"(?P<version>(?!ff)[0-9a-f]{2})-(?P<trace>(?!0{32})[0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-(?P<flags>[0-9a-f]{2})"
    r"(?P<rest>-.*)?",
    re.DOTALL,
)


def begin(random: bytes) -> str:
    """A trace of its own, in its first span."""
    digits = random.hex()
    return f"00-{digits[:32]}-{digits[32:48]}-{OURS}"


def go_on(header: str, random: bytes) -> str:
    """A span of ours in the trace of a caller who sent `header`; in one of our own when that is no traceparent."""
    sent = TRACEPARENT.fullmatch(header)
    if sent is None or (sent["version"] == "00" and sent["rest"] is not None):
        return begin(random)
    known = SAMPLED | RANDOM if sent["version"] == "00" else SAMPLED
    return f"00-{sent['trace']}-{random[:SPAN_BYTES].hex()}-{int(sent['flags'], 16) & known:02x}"


def child(traceparent: str, random: bytes) -> str:
    """A further span in the trace of one of ours."""
    return f"{traceparent[:36]}{random.hex()}{traceparent[52:]}"


def id_of(traceparent: str) -> str:
    """The id of the trace that one of our spans is in."""
    return traceparent[3:35]
