"""Every read goes by its index: it looks at the rows it gives, and at no others, however many there are."""

from collections.abc import Mapping

import asyncpg
import orjson
import pytest

from events import payment_method, promotion_code
from events.database import load_sql
from events.payment_method import TYPES
from projections import filters
from projections.page_bytes import PAGE_BYTES_MAX
from projections.read import EARLIEST, LATEST
from tests.plans import explain

CUSTOMERS = 20_000
LIMIT = 11

FILL = f"""
INSERT INTO projections.customer
    (account, livemode, id, created, position, version, deleted, email, invoice_prefix, body, test_clock)
SELECT 'acct_' || n % 2, n % 3 = 0, 'cus_' || n, 1700000000 + n / 4, n, 1, n % 50 = 7,
    'user' || n / 60 || '@example.com', 'P' || n, '{{}}', CASE WHEN n / 60 % 50 = 3 THEN 'clock_' || n / 600 END
FROM generate_series(1, {CUSTOMERS}) AS n;
INSERT INTO projections.resource
    (account, livemode, id, kind, parent, created, position, version, deleted, lookup, body, facts)
SELECT 'acct_' || n % 2, n % 3 = 0, 'we_' || n, 'kind_' || n % 5, 'cus_' || n / 100, 1700000000 + n / 4, n, 1,
    n % 50 = 7, 'digest' || n, '{{}}', '{{}}'
FROM generate_series(1, {CUSTOMERS}) AS n;
"""
# Nearly all have what is asked for least: the types of payment methods, the coupons and states of promotion codes.
FILTERED = f"""
INSERT INTO projections.resource
    (account, livemode, id, kind, parent, created, position, version, deleted, lookup, body, facts)
SELECT 'acct_1', false, 'pm_' || n, 'payment_method', 'cus_1', 1700000000 + n / 4, n, 1, false, NULL, '{{}}',
    jsonb_build_object('allow_redisplay', CASE WHEN n % 5000 = 1 THEN 'always' ELSE 'unspecified' END,
        'type', CASE WHEN n % 2000 = 1 THEN 'sepa_debit' ELSE 'card' END)
FROM generate_series(1, {CUSTOMERS}) AS n;
INSERT INTO projections.resource
    (account, livemode, id, kind, parent, created, position, version, deleted, lookup, body, facts)
SELECT 'acct_1', false, 'promo_' || n, 'promotion_code', 'CODE' || n, 1700000000 + n / 4, n, 1, false, NULL, '{{}}',
    jsonb_build_object('active', n % 4000 = 1, 'coupon', CASE WHEN n % 2000 = 1 THEN 'RARE' ELSE 'SALE' END,
        'customer', CASE WHEN n % 1000 = 1 THEN 'cus_' || n % 3000 END)
FROM generate_series(1, {CUSTOMERS}) AS n;
"""
FILTERS = (
    (payment_method.KIND, {"type": "card"}, "payment_method_type"),
    (payment_method.KIND, {"type": "sepa_debit"}, "payment_method_type"),
    (payment_method.KIND, {"type": "us_bank_account"}, "payment_method_type"),
    (payment_method.KIND, {"type": "card", "allow_redisplay": "always"}, "payment_method_type"),
    (payment_method.KIND, {"type": "card", "allow_redisplay": "limited"}, "payment_method_type"),
    (payment_method.KIND, {"allow_redisplay": "always"}, "payment_method_type"),
    (payment_method.KIND, {"allow_redisplay": "unspecified"}, "payment_method_type"),
    (promotion_code.KIND, {"coupon": "SALE"}, "promotion_code_coupon"),
    (promotion_code.KIND, {"coupon": "RARE"}, "promotion_code_coupon"),
    (promotion_code.KIND, {"coupon": "NONE"}, "promotion_code_coupon"),
    (promotion_code.KIND, {"coupon": "SALE", "active": True}, "promotion_code_coupon"),
    (promotion_code.KIND, {"customer": "cus_1"}, "promotion_code_customer"),
    (promotion_code.KIND, {"customer": "cus_0"}, "promotion_code_customer"),
    (promotion_code.KIND, {"active": True}, "promotion_code_active"),
    (promotion_code.KIND, {"active": False}, "promotion_code_active"),
)
WHO = ("acct_1", False)


def looked_up(facts: Mapping[str, object]) -> int:
    """How many types a filter of payment methods without one looks up."""
    return len(TYPES) if facts.keys() == {"allow_redisplay"} else 0


DEEP = 4_001  # of twenty thousand, counted from the oldest: far from either end of the list
BOUNDS = (EARLIEST, LATEST, LIMIT, PAGE_BYTES_MAX)
NARROW = (1_700_000_900, 1_700_001_000, LIMIT, PAGE_BYTES_MAX)

LISTS = {
    "list_customers": ("customer_newest", "cus_{}", ()),
    "list_customers_before": ("customer_newest", "cus_{}", ()),
    "list_customers_by_email": ("customer_email", "cus_{}", (f"user{DEEP // 60}@example.com",)),
    "list_customers_by_email_before": ("customer_email", "cus_{}", (f"user{DEEP // 60}@example.com",)),
    "list_customers_by_clock": ("customer_clock", "cus_{}", (f"clock_{DEEP // 600}", None)),
    "list_customers_by_clock_before": ("customer_clock", "cus_{}", (f"clock_{DEEP // 600}", None)),
    "list_resources": ("resource_newest", "we_{}", (f"kind_{DEEP % 5}", "{}", f"cus_{DEEP // 100}")),
    "list_resources_before": ("resource_newest", "we_{}", (f"kind_{DEEP % 5}", "{}", f"cus_{DEEP // 100}")),
    "list_resources_of_kind": ("resource_of_kind", "we_{}", (f"kind_{DEEP % 5}", "{}")),
    "list_resources_of_kind_before": ("resource_of_kind", "we_{}", (f"kind_{DEEP % 5}", "{}")),
}


async def test_every_page_of_every_list_goes_by_its_index(owner: asyncpg.Connection) -> None:
    await owner.execute(FILL)
    await owner.execute("ANALYZE projections.customer; ANALYZE projections.resource")
    for name, (index, id, more) in LISTS.items():
        query = load_sql("projections", name)
        for cursor in (None, id.format(DEEP)):
            for bounds in (BOUNDS, NARROW):
                plan = await explain(owner, query, *WHO, cursor, *bounds, *more)
                message = f"{name} cursor={cursor} bounds={bounds}: {plan}"
                assert index in plan.indexes, message
                assert not plan.kinds & {"Seq Scan", "Sort", "Incremental Sort", "Bitmap Heap Scan"}, message
                assert plan.touched <= 2 * LIMIT + 3, message


async def test_a_page_of_a_filtered_list_goes_by_the_index_of_the_filter(owner: asyncpg.Connection) -> None:
    await owner.execute(FILTERED)
    await owner.execute("VACUUM ANALYZE projections.resource")
    for kind, facts, index in FILTERS:
        found = filters.statement(kind, facts)
        assert found is not None
        name, arguments = found
        id = "pm_{}" if kind == payment_method.KIND else "promo_{}"
        for query in (load_sql("projections", name), load_sql("projections", f"{name}_before")):
            for cursor in (None, id.format(DEEP)):
                plan = await explain(owner, query, *WHO, cursor, *BOUNDS, *arguments)
                message = f"{name} {facts} cursor={cursor}: {plan}"
                assert index in plan.indexes, message
                assert plan.touched <= 4 * LIMIT + 8 + looked_up(facts), message


@pytest.mark.parametrize("customer", ["cus_1", "cus_2"])
async def test_a_filtered_list_of_a_customers_payment_methods_goes_by_its_index(
    owner: asyncpg.Connection, customer: str
) -> None:
    await owner.execute(FILTERED)
    await owner.execute("VACUUM ANALYZE projections.resource")
    for kind, facts, _ in FILTERS:
        if kind != payment_method.KIND:
            continue
        found = filters.statement(kind, facts, customer)
        assert found is not None
        name, arguments = found
        for query in (load_sql("projections", name), load_sql("projections", f"{name}_before")):
            for cursor in (None, f"pm_{DEEP}"):
                plan = await explain(owner, query, *WHO, cursor, *BOUNDS, *arguments)
                message = f"{name} {facts} cursor={cursor}: {plan}"
                assert "payment_method_of_customer" in plan.indexes, message
                assert plan.touched <= 4 * LIMIT + 8 + looked_up(facts), message


async def test_a_count_of_a_filtered_list_of_payment_methods_looks_at_what_it_counts(owner: asyncpg.Connection) -> None:
    await owner.execute(FILTERED)
    await owner.execute("VACUUM ANALYZE projections.resource")
    for kind, facts, _ in FILTERS:
        if kind != payment_method.KIND:
            continue
        for parent, index in ((None, "payment_method_type"), ("cus_1", "payment_method_of_customer")):
            found = filters.count(kind, facts, parent)
            assert found is not None
            name, arguments = found
            plan = await explain(owner, load_sql("projections", name), *WHO, EARLIEST, LATEST, *arguments)
            message = f"{name} {facts}: {plan}"
            assert index in plan.indexes, message
            counted = await owner.fetchval(
                "SELECT count(*) FROM projections.resource WHERE kind = $1 AND facts @> $2",
                kind,
                orjson.dumps(facts).decode(),
            )
            assert plan.touched <= counted + len(TYPES) + 2 * len(filters.REDISPLAYS) + 8, message


async def test_a_spelling_of_a_code_goes_by_the_index_of_parents(owner: asyncpg.Connection) -> None:
    await owner.execute(FILTERED)
    await owner.execute("VACUUM ANALYZE projections.resource")
    for name in ("list_resources", "list_resources_before"):
        for facts in ("{}", '{"active": true}'):
            plan = await explain(
                owner, load_sql("projections", name), *WHO, None, *BOUNDS, promotion_code.KIND, facts, f"CODE{DEEP}"
            )
            assert "resource_newest" in plan.indexes, plan
            assert plan.touched <= 4, plan


async def test_a_point_read_of_many_goes_by_the_primary_key(owner: asyncpg.Connection) -> None:
    await owner.execute(FILL)
    await owner.execute("ANALYZE projections.customer; ANALYZE projections.resource")
    for setting in ("enable_seqscan", "enable_hashjoin", "enable_mergejoin"):  # as the readers' own connections are
        await owner.execute(f"SET {setting} = off")
    ids = list(range(1, 50))
    accounts, livemodes = [f"acct_{id % 2}" for id in ids], [id % 3 == 0 for id in ids]
    plan = await explain(
        owner, load_sql("projections", "get_customers"), accounts, livemodes, [f"cus_{id}" for id in ids]
    )
    assert "customer_pkey" in plan.indexes
    assert plan.touched <= 2 * len(ids), plan
    plan = await explain(
        owner,
        load_sql("projections", "get_resources"),
        accounts,
        livemodes,
        [f"kind_{id % 5}" for id in ids],
        [f"we_{id}" for id in ids],
        [id % 2 == 0 for id in ids],
    )
    assert "resource_pkey" in plan.indexes
    assert plan.touched <= 2 * len(ids), plan


async def test_a_key_is_found_by_the_index_of_digests(owner: asyncpg.Connection) -> None:
    await owner.execute(FILL)
    await owner.execute("UPDATE projections.resource SET kind = 'api_key' WHERE id = 'we_11'")
    plan = await explain(owner, load_sql("projections", "find_api_keys"), ["digest11"])
    assert plan.indexes == {"resource_lookup"}
    assert plan.touched == 2, "the key that was asked for, and its row"


# So many, and as wide as rows are: of fewer the planner does not go wrong.
SKEWED = """
INSERT INTO projections.customer
    (account, livemode, id, created, position, version, deleted, email, invoice_prefix, body)
SELECT 'acct_1', false, 'cus_' || md5(n::text), 1700000000 + n / 4, n, 1, false, 'all@example.com', 'P' || n,
    convert_to(repeat(md5(n::text), 30), 'UTF8')
FROM generate_series(1, 60000) AS n;
"""


async def test_an_email_that_nobody_has_is_looked_up_where_all_customers_share_one(owner: asyncpg.Connection) -> None:
    await owner.execute(SKEWED)
    await owner.execute("VACUUM ANALYZE projections.customer")
    deep = await owner.fetchval("SELECT id FROM projections.customer WHERE position = 500")
    for name in ("list_customers_by_email", "list_customers_by_email_before"):
        query = load_sql("projections", name)
        for cursor in (None, deep):
            for email in ("none@example.com", "all@example.com"):
                plan = await explain(owner, query, *WHO, cursor, *BOUNDS, email)
                message = f"{name} cursor={cursor} {email}: {plan}"
                assert "customer_email" in plan.indexes, message
                assert plan.touched <= 2 * LIMIT + 3, message
