"""Lists of events look at those they show, however many others there are, and of whatever type nearly all are."""

from collections import Counter

import asyncpg
import pytest

from events.database import load_sql
from projections.page_bytes import PAGE_BYTES_MAX
from projections.read import EARLIEST, LATEST
from service.http.params.webhook_endpoint import EVENT_TYPES
from tests.plans import explain
from webhooks.feed.notices import TYPES_LOOKED_UP_MAX

NOTICES = 20_000
LIMIT = 11

FILL = f"""
SELECT events.make_day('projections.notice', current_date), events.make_day('projections.notice', current_date - 1);
INSERT INTO projections.notice
    (sequence, appended_at, id, account, livemode, type, created, position, stream, version, object_id, body)
SELECT n, now() - interval '1 day' * (n < {NOTICES // 2})::integer, 'evt_' || n, 'acct_1', false,
    CASE WHEN n % 1000 = 7 THEN 'coupon.created' ELSE 'customer.updated' END, 1700000000 + n / 4, n, 'customer-' || n,
    1, 'cus_' || n, convert_to(repeat(md5(n::text), 10), 'UTF8')
FROM generate_series(1, {NOTICES}) AS n;
"""


@pytest.mark.parametrize("name", ["list_notices_of_types", "list_notices_of_types_before"])
async def test_a_list_of_types_goes_by_their_index(database: str, name: str) -> None:
    owner = await asyncpg.connect(database)
    await owner.execute(FILL)
    await owner.execute("VACUUM ANALYZE projections.notice")
    query = load_sql("webhooks", name)
    wildcard = sorted(type for type in EVENT_TYPES if type.startswith("c"))
    for types, most in (
        (["coupon.deleted"], 4),
        (["coupon.deleted", "coupon.created", "customer.updated"], 2 * LIMIT),
        ([f"treasury.{n}" for n in range(TYPES_LOOKED_UP_MAX)], 4),
        (wildcard, 2 * LIMIT),
    ):
        for cursor in (None, NOTICES // 3):
            plan = await explain(
                owner, query, "acct_1", False, cursor, max(EARLIEST, 0), min(LATEST, 2**42), LIMIT, types, None,
                PAGE_BYTES_MAX,
            )  # fmt: skip
            notices = [node for node in plan.nodes if str(node.get("Index Name", "")).startswith("notice")]
            assert notices, plan
            looked_at = sum(
                node["Actual Loops"] * (node["Actual Rows"] + node.get("Rows Removed by Filter", 0)) for node in notices
            )
            assert looked_at <= 2 * most + 2 * len(types), (types, cursor, str(plan))
    await owner.close()


def test_every_wildcard_is_looked_up_by_its_types() -> None:
    """Longer prefixes mean fewer types; `*` alone means all, for which no type is asked for."""
    starts = Counter(type[0] for type in EVENT_TYPES)
    assert max(starts.values()) <= TYPES_LOOKED_UP_MAX
