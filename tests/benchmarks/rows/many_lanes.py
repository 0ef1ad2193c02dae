"""What it costs that there are many lanes: 100 events a second among ten thousand endpoints, and among ten.

Each account has two endpoints, so an event wakes two lanes, other ones each time where there are many. Each lane is
leased, sent to and let go, for nothing more comes to it meanwhile: the price of a wake.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import asyncpg

from tests.benchmarks.figures import Figure, Rounds, percentile
from tests.benchmarks.receiver import receiver
from tests.benchmarks.servers import Bench
from tests.benchmarks.shop import Shop, shop

FEW, MANY = 10, 10_000
SHARE = 2
RATE = 100.0
WARM_UP_S, WINDOW_S = 3.0, 12.0
STATEMENTS = {"fan-out": "catch_up", "turns": "turn"}
SPENT = """
SELECT coalesce(sum(total_time), 0) FROM pg_stat_user_functions WHERE schemaname = 'webhooks' AND funcname = $1
"""


@dataclass(frozen=True, slots=True)
class _Reading:
    p50_ms: float
    p99_ms: float
    spent_ms: dict[str, float]  # by Postgres, for each delivery


async def many_lanes(bench: Bench) -> Sequence[Figure]:
    """Latencies and statement times with many endpoints, by those with few."""
    few, many = await _measure(bench, FEW), await _measure(bench, MANY)
    compared = {
        "p50 after the answer": (few.p50_ms, many.p50_ms),
        "p99 after the answer": (few.p99_ms, many.p99_ms),
        **{f"time in {name} for each": (few.spent_ms[name], many.spent_ms[name]) for name in STATEMENTS},
    }
    return [
        Rounds([of_few], [of_many]).figure(
            row="many-lanes",
            what=f"{RATE:.0f} events a second, each to {SHARE} of {MANY:,} endpoints, {what}",
            unit="ms",
            baseline_is=f"the same to {SHARE} of {FEW}",
        )
        for what, (of_few, of_many) in compared.items()
    ]


async def _measure(bench: Bench, endpoints: int) -> _Reading:
    async with (
        receiver() as listening,
        shop(bench, listening, role="serve", endpoints=endpoints, share=SHARE) as opened,
    ):
        dsn = opened.environment["DATABASE_URL"]
        await _latencies_ms(opened, WARM_UP_S)
        before = await _spent_ms(dsn)
        latencies = await _latencies_ms(opened, bench.seconds(WINDOW_S))
        after = await _spent_ms(dsn)
    return _Reading(
        percentile(latencies, 0.5),
        percentile(latencies, 0.99),
        {name: (after[name] - before[name]) / len(latencies) for name in STATEMENTS},
    )


async def _latencies_ms(opened: Shop, duration_s: float) -> list[float]:
    """Milliseconds from each answer to each arrival."""
    await opened.receiver.forget()
    made = await opened.create_at(RATE, duration_s)
    accounts = len(opened.keys)
    wanted = {
        (customer, endpoint)
        for number, customer in enumerate(made)
        for endpoint in opened.endpoints_of(number % accounts)
    }
    return await opened.heard(wanted)


async def _spent_ms(dsn: str) -> dict[str, float]:
    """Milliseconds spent in our functions so far, those they call included."""
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute("SELECT pg_stat_force_next_flush()")
        return {name: await connection.fetchval(SPENT, function) for name, function in STATEMENTS.items()}
    finally:
        await connection.close()
