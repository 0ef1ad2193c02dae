"""Errors as answers: which status, type and headers each comes to, and the body's form."""

from http import HTTPStatus

import orjson
import pytest

from events.errors import BrokenHistory, LockTimeout, LogUnavailable, Missing, Refusal
from service.http import refusals

INVALID, OURS, IDEMPOTENCY = "invalid_request_error", "api_error", "idempotency_error"


@pytest.mark.parametrize(
    ("error", "status", "type", "code"),
    [
        (Refusal("no", code="email_invalid"), 400, INVALID, "email_invalid"),
        (Missing("customer", "cus_1"), 404, INVALID, "resource_missing"),
        (LockTimeout(), 429, INVALID, "lock_timeout"),
        (LogUnavailable("10.0.0.7 is down"), 503, OURS, None),
        (BrokenHistory("position 7"), 500, OURS, None),
        (KeyError("secret"), 500, OURS, None),
        (refusals.NoKey(), 401, INVALID, None),
        (refusals.BadScheme(), 401, INVALID, None),
        (refusals.BadKey("sk_test_0123456789wxyz"), 401, INVALID, None),
        (refusals.SecretKeyRequired(), 403, INVALID, "secret_key_required"),
        (refusals.PermissionDenied("customers:write", "key_1", "acct_1"), 403, INVALID, None),
        (refusals.NotYourAccount("acct_1"), 403, INVALID, "account_invalid"),
        (refusals.UnknownRoute("PUT", "/v1/customers"), 404, INVALID, None),
        (refusals.KeyReused("k", first_route="POST /a", route="POST /a"), 400, IDEMPOTENCY, None),
        (refusals.KeyInUse("k"), 409, IDEMPOTENCY, "idempotency_key_in_use"),
        (refusals.TooLarge(), 413, INVALID, None),
        (refusals.TooSlow(), 408, INVALID, None),
        (refusals.Unreadable(), 400, INVALID, None),
        (refusals.WrongContentType("application/json"), 400, INVALID, None),
    ],
)
def test_an_error_is_answered_by_who_can_put_it_right(
    error: Exception, status: int, type: str, code: str | None
) -> None:
    reply = refusals.reply(error)
    shown = orjson.loads(reply.body)["error"]
    assert (reply.status, shown["type"], shown.get("code")) == (status, type, code)
    assert shown["message"]
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        assert str(error).encode() not in reply.body, "what went wrong inside is nobody's business"


def test_a_body_has_the_keys_that_apply_in_order_and_two_spaces_before_each_level() -> None:
    refusal = Refusal("No.", code="parameter_missing", param="shipping[name]")
    assert (
        refusals.body(refusal)
        == b"""{
  "error": {
    "code": "parameter_missing",
    "doc_url": "https://stripe.com/docs/error-codes/parameter-missing",
    "message": "No.",
    "param": "shipping[name]",
    "type": "invalid_request_error"
  }
}"""
    )
    assert list(orjson.loads(refusals.body(Refusal("No.")))["error"]) == ["message", "type"]


@pytest.mark.parametrize(
    ("error", "headers"),
    [
        (refusals.NoKey(), {"WWW-Authenticate": 'Basic realm="Stripe"'}),
        (refusals.BadScheme(), {"WWW-Authenticate": 'Basic realm="Stripe"'}),
        (refusals.BadKey("sk"), {"WWW-Authenticate": 'Basic realm="Stripe"'}),
        (LockTimeout(), {**refusals.RETRY, "Stripe-Rate-Limited-Reason": "resource-specific"}),
        (LogUnavailable(), {"Stripe-Should-Retry": "true", "Retry-After": "1"}),
        (Missing("customer", "cus_1"), {}),
        (refusals.UnknownRoute("PUT", "/"), {}),
        (ValueError(), {}),
    ],
)
def test_headers_say_whether_a_client_should_retry(error: Exception, headers: dict[str, str]) -> None:
    assert refusals.headers(error) == headers


def test_a_key_used_again_is_answered_with_what_it_was_used_for_first() -> None:
    same = refusals.KeyReused("k", first_route="POST /v1/a", route="POST /v1/a").message
    assert "same parameters" in same
    assert "'k'" in same
    other = refusals.KeyReused("k", first_route="POST /v1/a", route="POST /v1/b").message
    assert "('POST /v1/b' vs 'POST /v1/a')" in other


def test_a_header_that_is_quoted_can_always_be_sent() -> None:
    message = orjson.loads(refusals.body(Refusal("Invalid: \udcff é")))["error"]["message"]
    assert message == "Invalid: \\udcff é"
