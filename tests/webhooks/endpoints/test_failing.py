"""When the owner of a failing endpoint is notified, and when it is disabled."""

from datetime import UTC, datetime, timedelta

import pytest

from webhooks.endpoints.failing import Disable, Failing, Notify, due

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def after(hours: float, *, attempts: int = 30, gone: bool = False, notified_hours: int = 0) -> Notify | Disable | None:
    failing = Failing(since=NOON, attempts=attempts, gone=gone, notified_hours=notified_hours)
    return due(failing, NOON + timedelta(hours=hours))


@pytest.mark.parametrize(
    ("hours", "notified_hours", "expected"),
    [
        (0.99, 0, None),
        (1, 0, Notify(1)),
        (1, 1, None),
        (23, 1, None),
        (24, 1, Notify(24)),
        (30, 0, Notify(24)),
        (71, 24, None),
        (72, 24, Notify(72)),
        (119, 72, None),
        (120, 72, Disable("failing")),
        (120, 0, Disable("failing")),
    ],
)
def test_the_owner_is_notified_after_an_hour_a_day_and_three_and_it_is_disabled_after_five(
    hours: float, notified_hours: int, expected: Notify | Disable | None
) -> None:
    assert after(hours, notified_hours=notified_hours) == expected


def test_a_few_attempts_prove_nothing_however_long_ago() -> None:
    assert after(1000, attempts=19, notified_hours=72) is None
    assert after(1000, attempts=20, notified_hours=72) == Disable("failing")


def test_one_that_says_it_is_gone_is_disabled_at_once() -> None:
    assert after(0, attempts=1, gone=True) == Disable("gone")
