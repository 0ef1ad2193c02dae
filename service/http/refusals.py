"""HTTP error responses: refusals mapped to status codes and the error object of the API."""

from collections.abc import Mapping
from http import HTTPStatus
from types import MappingProxyType
from typing import Any

import orjson

from events.errors import Declined, LockTimeout, LogUnavailable, Missing, Refusal
from service.http.reply import Reply
from service.masking import quoted

MESSAGE_CHARACTERS_MAX = 4000
PARAM_CHARACTERS_MAX = 200
STARS_MAX = 64
RETRY: Mapping[str, str] = MappingProxyType({"Stripe-Should-Retry": "true", "Retry-After": "1"})  # seconds


class HttpRefusal(Refusal):
    """A refusal that is about the request itself."""

    status: int = HTTPStatus.BAD_REQUEST
    type = "invalid_request_error"
    headers: Mapping[str, str] = MappingProxyType({})


class NoKey(HttpRefusal):
    """No API key was sent."""

    status = HTTPStatus.UNAUTHORIZED
    headers = MappingProxyType({"WWW-Authenticate": 'Basic realm="Stripe"'})

    def __init__(self) -> None:
        super().__init__(
            "You did not provide an API key. You need to provide your API key in the Authorization header, using "
            "Bearer auth (e.g. 'Authorization: Bearer YOUR_SECRET_KEY')."
        )


class BadScheme(NoKey):
    """The Authorization header is neither Bearer nor Basic."""

    def __init__(self) -> None:
        HttpRefusal.__init__(
            self,
            "You did not provide an API key, though you did set your Authorization header. Using Bearer auth, it "
            "should look like 'Authorization: Bearer YOUR_SECRET_KEY'.",
        )


class BadKey(NoKey):
    """The key was never issued, or is revoked; it is shown with all but its ends starred out."""

    def __init__(self, key: str) -> None:
        HttpRefusal.__init__(self, f"Invalid API Key provided: {starred(key)}")


class SecretKeyRequired(HttpRefusal):
    """A publishable key was used where only a secret one will do."""

    status = HTTPStatus.FORBIDDEN

    def __init__(self) -> None:
        super().__init__(
            "This API call cannot be made with a publishable API key. Please use a secret API key.",
            code="secret_key_required",
        )


class PermissionDenied(HttpRefusal):
    """A restricted key lacks the permission."""

    status = HTTPStatus.FORBIDDEN

    def __init__(self, permission: str, key: str, account: str) -> None:
        super().__init__(
            f"The provided key '{key}' does not have the required permissions for this endpoint on account "
            f"'{account}'. Having the '{permission}' permission would allow this request to continue."
        )


class NotYourAccount(HttpRefusal):
    """The Stripe-Account header names an account that the key has no access to."""

    status = HTTPStatus.FORBIDDEN

    def __init__(self, account: str) -> None:
        super().__init__(
            f"The provided key does not have access to account '{account}' (or that account does not exist).",
            code="account_invalid",
        )


class UnknownRoute(HttpRefusal):
    """No route has that method and path."""

    status = HTTPStatus.NOT_FOUND

    def __init__(self, method: str, path: str) -> None:
        super().__init__(f"Unrecognized request URL ({method}: {path}).")


class KeyReused(HttpRefusal):
    """An idempotency key was reused for another request."""

    type = "idempotency_error"

    def __init__(self, key: str, *, first_route: str, route: str) -> None:
        if first_route == route:
            message = f"Keys for idempotent requests can only be used with the same parameters they were first used \
with. Try using a key other than '{key}' if you meant to execute a different request."
        else:
            message = f"Keys for idempotent requests can only be used for the same endpoint they were first used for \
('{route}' vs '{first_route}'). Try using a key other than '{key}' if you meant to execute a different request."
        super().__init__(message)


class KeyInUse(HttpRefusal):
    """Another request with this idempotency key is running."""

    status = HTTPStatus.CONFLICT
    type = "idempotency_error"

    def __init__(self, key: str) -> None:
        super().__init__(
            f"There is currently another in-progress request using this Idempotent Key ('{key}'). Please try again "
            "later.",
            code="idempotency_key_in_use",
        )


class TooLarge(HttpRefusal):
    """The body is larger than the limit."""

    status = HTTPStatus.REQUEST_ENTITY_TOO_LARGE

    def __init__(self) -> None:
        super().__init__("The request body is too large.")


class TooSlow(HttpRefusal):
    """The body did not arrive in time."""

    status = HTTPStatus.REQUEST_TIMEOUT

    def __init__(self) -> None:
        super().__init__("The request body took too long to arrive.")


class Unreadable(HttpRefusal):
    """The body is incomplete, or does not match its headers."""

    def __init__(self) -> None:
        super().__init__("The request body could not be read as its headers describe it.")


class ClientGone(HttpRefusal):
    """The client disconnected before the request was complete; 499 is nginx's status for it, which only logs show."""

    status = 499

    def __init__(self) -> None:
        super().__init__("The client closed the connection before its request was whole.")


class Stopping(HttpRefusal):
    """The process is stopping, and the body was not complete in time; another process may serve a retry."""

    status = HTTPStatus.SERVICE_UNAVAILABLE
    type = "api_error"
    headers = RETRY

    def __init__(self) -> None:
        super().__init__("The service is restarting. Please try again.")


class SecretKeyInUrl(NoKey):
    """A key other than a publishable one was sent in the URL, where proxies and browsers log it."""

    def __init__(self) -> None:
        HttpRefusal.__init__(
            self,
            "Only publishable API keys are accepted in a URL, because URLs are logged. Send this key in the "
            "Authorization header, and replace it with a new one.",
        )


class OtherOrigin(HttpRefusal):
    """The well-known development key was sent by a web page of another origin."""

    status = HTTPStatus.FORBIDDEN

    def __init__(self) -> None:
        super().__init__(
            "The well-known key of development is not accepted from pages of other origins. Create a publishable key "
            "with 'rollbook keys create --publishable'."
        )


class WrongContentType(HttpRefusal):
    """The content type of the body is not supported."""

    def __init__(self, content_type: str) -> None:
        super().__init__(
            f"Invalid content type '{content_type}': the body of a v1 request must be "
            "'application/x-www-form-urlencoded'."
        )


def reply(error: Exception) -> Reply:
    """The error response: status and body."""
    match error:
        case HttpRefusal():
            return Reply(status=int(error.status), body=body(error, type=error.type))
        case Missing():
            status = HTTPStatus.NOT_FOUND
        case Declined():
            status = HTTPStatus.PAYMENT_REQUIRED
            return Reply(status=int(status), body=body(error, type="card_error"))
        case LockTimeout():
            status = HTTPStatus.TOO_MANY_REQUESTS
        case Refusal():
            status = HTTPStatus.BAD_REQUEST
        case LogUnavailable():
            status = HTTPStatus.SERVICE_UNAVAILABLE
            error = Refusal("The service is temporarily unavailable. Please try again.")
        case _:
            status = HTTPStatus.INTERNAL_SERVER_ERROR
            error = Refusal("An error occurred on our side. Please try again.")
    type = "invalid_request_error" if status < HTTPStatus.INTERNAL_SERVER_ERROR else "api_error"
    return Reply(status=int(status), body=body(error, type=type))


def headers(error: Exception) -> Mapping[str, str]:
    """The headers of an error response."""
    match error:
        case HttpRefusal():
            return error.headers
        case LockTimeout():
            return {**RETRY, "Stripe-Rate-Limited-Reason": "resource-specific"}
        case LogUnavailable():
            return RETRY
        case _:
            return {}


def body(refusal: Refusal, *, type: str = "invalid_request_error") -> bytes:
    """The error object of a refusal, as the API renders it.

    Without `request_log_url`: no dashboard has the request. Its id is in the header Request-Id, and in the log.
    """
    error: dict[str, Any] = {}
    if refusal.code is not None:
        error["code"] = refusal.code
        error["doc_url"] = f"https://stripe.com/docs/error-codes/{refusal.code.replace('_', '-')}"
    if isinstance(refusal, Declined) and refusal.decline_code is not None:
        error["decline_code"] = refusal.decline_code
    error["message"] = quoted(_sendable(refusal.message), MESSAGE_CHARACTERS_MAX)
    if refusal.param is not None:
        error["param"] = quoted(refusal.param, PARAM_CHARACTERS_MAX)
    error["type"] = type
    return orjson.dumps({"error": error}, option=orjson.OPT_INDENT_2)


def _sendable(message: str) -> str:
    """A message that may quote a header whose bytes were not UTF-8; those are shown escaped."""
    return message if message.isascii() else message.encode(errors="backslashreplace").decode()


def starred(key: str) -> str:
    """A key with all but its ends starred out."""
    if len(key) <= 12:
        return "*" * len(key)
    return f"{key[:8]}{'*' * min(len(key) - 12, STARS_MAX)}{key[-4:]}"
