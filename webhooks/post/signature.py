"""Webhook signatures (HMAC-SHA256 with a timestamp): authenticity, integrity and replay protection.

Two schemes go out side by side, each verified by its official library: `Stripe-Signature` (API reference, verify
events) and Standard Webhooks 1.0.0 (`webhook-id`, `webhook-timestamp`, `webhook-signature`). They differ in the key
they make of a secret. The first takes all of it as text, prefix included; the second takes the bytes that the part
after the prefix stands for in base64. So a secret is `whsec_` and 32 letters and digits: 24 bytes of valid base64.
"""

import hmac
from binascii import Error as Base64Error
from binascii import a2b_base64, b2a_base64
from collections.abc import Iterable, Mapping

from events import ids

PREFIX = "whsec"
SECRET_BYTES = 32
TOLERANCE_S = 300  # the official libraries refuse what is older
STRIPE_HEADER = "Stripe-Signature"


class BadSignature(ValueError):
    """The headers do not prove that the body was signed with this secret within the tolerance."""


def new_secret(random: bytes) -> str:
    """A secret, `whsec_` and a letter or digit for each of 32 random bytes."""
    assert len(random) == SECRET_BYTES, "32 letters stand for 24 bytes in base64, with nothing to pad"
    return ids.new(PREFIX, random)


def headers(body: bytes, secrets: Iterable[str], *, id: str, timestamp: int) -> dict[str, str]:
    """The headers that sign `body`: one signature of each scheme for each live secret, newest first.

    `id` is the notice's, the same at every attempt; `timestamp` is Unix seconds, new at every attempt.
    """
    stamped = b"%d.%b" % (timestamp, body)
    named = b"%b.%b" % (id.encode(), stamped)
    stripe = [f"t={timestamp}"]
    standard = []
    for secret in secrets:
        stripe.append(f"v1={_stripe_text(secret, stamped)}")
        standard.append(f"v1,{_standard_text(secret, named).decode()}")
    assert standard, "a delivery is always signed"
    return {
        STRIPE_HEADER: ",".join(stripe),
        "webhook-id": id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": " ".join(standard),
    }


def verify(body: bytes, header: str, secret: str, *, now: int, tolerance_s: int = TOLERANCE_S) -> None:
    """Check a `Stripe-Signature` header as a receiver does; `now` is Unix seconds.

    Raises:
        BadSignature: no `v1` of the header is the body's, or it was signed more than `tolerance_s` from now.
    """
    pairs = [pair.partition("=")[::2] for pair in header.split(",")]
    timestamp = _recent(dict(pairs).get("t", ""), now, tolerance_s)
    expected = _stripe_text(secret, b"%d.%b" % (timestamp, body)).encode()
    _one_matches(expected, [text.encode(errors="replace") for scheme, text in pairs if scheme == "v1"])


def verify_standard(
    body: bytes, sent: Mapping[str, str], secret: str, *, now: int, tolerance_s: int = TOLERANCE_S
) -> None:
    """Check the Standard Webhooks headers in `sent` (names in lower case) as a receiver does; `now` is Unix seconds.

    Raises:
        BadSignature: a header is missing, no `v1` is the body's, or it was signed more than `tolerance_s` from now.
    """
    timestamp = _recent(sent.get("webhook-timestamp", ""), now, tolerance_s)
    named = b"%b.%d.%b" % (sent.get("webhook-id", "").encode(errors="replace"), timestamp, body)
    signatures = [each.partition(",")[::2] for each in sent.get("webhook-signature", "").split(" ")]
    expected = _standard_text(secret, named)
    _one_matches(expected, [text.encode(errors="replace") for version, text in signatures if version == "v1"])


def _stripe_text(secret: str, signed: bytes) -> str:
    return hmac.digest(secret.encode(), signed, "sha256").hex()


def _standard_text(secret: str, signed: bytes) -> bytes:
    try:
        key = a2b_base64(secret.removeprefix(f"{PREFIX}_"), strict_mode=True)
    except Base64Error as error:
        raise ValueError("the secret is not base64 after its prefix") from error
    return b2a_base64(hmac.digest(key, signed, "sha256"), newline=False)


def _recent(text: str, now: int, tolerance_s: int) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 12):
        raise BadSignature("no timestamp")
    if abs(now - int(text)) > tolerance_s:
        raise BadSignature(f"signed at {text}, more than {tolerance_s} s from now")
    return int(text)


def _one_matches(expected: bytes, signatures: list[bytes]) -> None:
    # Every one is compared, whole, so that the time taken leaks nothing (constant-time comparison).
    if sum(hmac.compare_digest(expected, each) for each in signatures) == 0:
        raise BadSignature("no signature is of this body with this secret")
