"""Validation of the stored data of an endpoint when its lane is leased; unusable data sets the lane aside.

Pure. Unusable data affects that endpoint alone: its lane is set aside, which is an open breaker with a reason, and
other lanes are unaffected. It is retried when its owner edits the endpoint, and periodically too, since the cause may
have been a bug of ours, or a setting.
"""

from events.errors import BrokenHistory
from webhooks.endpoints.rules import IN_FLIGHT_MAX, RATE_MAX
from webhooks.endpoints.set_aside import SET_ASIDE_S_MAX, Reason
from webhooks.post import receiver_url, signature
from webhooks.post.receiver_url import UrlUnreadable
from webhooks.queue.lane import CONCURRENCY_MAX, OPEN_S_MAX, Lane
from webhooks.queue.turn import Endpoint


class Unworkable(Exception):
    """The stored data of an endpoint is unusable.

    Of `error` it keeps the type, and the message where that is our own: others may quote a URL or a secret.
    """

    def __init__(self, reason: Reason, error: Exception | str | None = None) -> None:
        match error:
            case None:
                said: str = reason
            case str():
                said = error
            case UrlUnreadable() | BrokenHistory():
                said = f"{type(error).__name__}: {error}"
            case _:
                said = type(error).__name__
        super().__init__(said)
        self.reason = reason


def host(endpoint: Endpoint, state: Lane) -> str:
    """The host (and port) to count attempts against, after checking the endpoint's URL, its rules and its state.

    Raises:
        Unworkable: they do not.
    """
    if not (
        _within(endpoint.rate_limit, 1, RATE_MAX)
        and _within(endpoint.in_flight_max, 1, IN_FLIGHT_MAX)
        and endpoint.on_exhaustion in ("skip", "hold")
    ):
        raise Unworkable("rules_invalid")
    counts = (state.unreachable_in_a_row, state.window_attempts, state.window_failures, state.failures_in_a_row)
    if not (
        1 <= state.concurrency <= CONCURRENCY_MAX
        and 0 <= state.open_s <= max(OPEN_S_MAX, SET_ASIDE_S_MAX)
        and 0 <= state.step_in <= CONCURRENCY_MAX
        and all(0 <= count < 2**31 - 1 for count in counts)
    ):
        raise Unworkable("state_invalid")
    if endpoint.status != "enabled":
        return ""
    try:
        return receiver_url.parse(endpoint.url).host_and_port
    except UrlUnreadable as error:
        raise Unworkable("url_unreadable", error) from error


def check_secrets(secrets: list[str]) -> None:
    """Check that requests can be signed with these secrets. Raises Unworkable."""
    if not all(secrets) or not secrets:
        raise Unworkable("secret_unreadable", "there is none")
    try:
        signature.headers(b"", secrets, id="evt", timestamp=0)
    except Exception as error:  # whatever they hold
        raise Unworkable("secret_unreadable", "it does not sign") from error


def _within(value: int | None, least: int, most: int) -> bool:
    return value is None or least <= value <= most
