"""Thousands of schedules of everything that can happen to workers, in virtual time, each from a seed of its own.

ROLLBOOK_SCHEDULES=20000 make test PYTEST_ARGS=tests/webhooks/test_simulation.py
ROLLBOOK_SCHEDULES=1 ROLLBOOK_FIRST_SEED=4711 .venv/bin/python -m pytest tests/webhooks/test_simulation.py
"""

import logging
import os

import pytest
import structlog

from tests.virtual_time import run
from tests.webhooks.simulation import order
from tests.webhooks.simulation.schedule import Schedule, simulate
from webhooks.dispatch import worker
from webhooks.endpoints.rules import Order

SCHEDULES = int(os.environ.get("ROLLBOOK_SCHEDULES", "400"))
FIRST_SEED = int(os.environ.get("ROLLBOOK_FIRST_SEED", "0"))
SHARES = 4  # that may run side by side
SILENT = structlog.wrap_logger(None, wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL)).bind()


@pytest.fixture(autouse=True)
def silent(monkeypatch: pytest.MonkeyPatch) -> None:
    """Logging millions of lines that nobody reads would take longer than the simulation."""
    monkeypatch.setattr(worker, "log", SILENT)


@pytest.mark.timeout(120 + SCHEDULES)
@pytest.mark.parametrize("share", range(SHARES))
def test_whatever_happens_every_rule_is_kept_and_every_delivery_ends_once(share: int) -> None:
    for seed in range(FIRST_SEED + share, FIRST_SEED + SCHEDULES, SHARES):
        try:
            run(simulate(seed))
        except BaseException as failure:
            failure.add_note(f"run again with ROLLBOOK_SCHEDULES=1 ROLLBOOK_FIRST_SEED={seed}")
            raise


@pytest.mark.parametrize("seed", [3, 9])
def test_a_seed_makes_the_same_happen_each_time(seed: int) -> None:
    def trace() -> list[object]:
        schedule = Schedule(seed)
        run(schedule.run())
        return [schedule.database.attempts, [attempt.began_at_s for attempt in schedule.witness.attempts]]

    assert trace() == trace()


@pytest.mark.parametrize(("mode", "expected"), [("none", []), ("customer", [2]), ("strict", [2, 3])])
def test_an_order_says_what_must_have_ended_before(mode: Order, expected: list[int]) -> None:
    keys = {2: "cus_a", 3: "cus_b", 5: "cus_a", 7: "cus_a"}
    assert order.before(5, [7, 3, 2, 5], keys, mode) == expected
