"""At 200,000 customers each operator goes by an index, whatever it looks for: rare or common, there or not."""

from typing import Any

import asyncpg
import orjson

from events.scope import Scope
from projections.page_bytes import PAGE_BYTES_MAX
from projections.search import compile, terms
from projections.search.find import BEGINNING, COUNT, FIND, start
from projections.search.query import TEXTS, parse
from tests.plans import Plan, _nodes

CUSTOMERS = 200_000
BOUNDS = (11, PAGE_BYTES_MAX)
TOUCHED_MAX = 4_000  # the newest thousand among them, looked at twice
FIRST, LAST = ("Ada", "Bob", "Cleo", "Dan", "Eve"), ("Stone", "Rivers", "Hill", "Woods", "Field")
COLUMNS = ("account", "livemode", "id", "created", "position", *TEXTS, "metadata", "terms")

RARE = (
    "email:'USER777@example.com'",
    "email~'user777@'",
    "phone~'00077777'",
    "metadata['order']:'4242'",
    "created:1700004242",
)
COMMON = (
    "email~'example'",
    "name~'stone'",
    "metadata['tier']:'gold'",
    "-metadata['tier']:null",
    "metadata['tier']:null",
    "-metadata['tier']:'gold'",
    "-email:'user777@example.com'",
    "-name~'stone'",
    "created>1700100000",
    "created<1700100000",
    "created>1700050000 created<1700060000 name~'stone'",
    "-created<=1700100000",
    "name~'stone' OR metadata['tier']:'gold'",
    "name~'stone' metadata['tier']:'gold' created<1700150000",
)
# Rule out nearly everybody: who is left is found by walking along the index of an account's own customers.
LEFT_BY_NOBODY = ("metadata['order']:null", "-email~'example'", "-phone~'+1 ' -name~'zzz'", "-created>0")
NOWHERE = ("email:'nobody@example.com'", "name~'zzz'", "metadata['none']:'x'", "-metadata['none']:null")


def customer(n: int) -> tuple[Any, ...]:
    account, livemode = f"acct_{n % 2}", n % 4 == 3
    texts: dict[str, str | None] = {
        "email": f"user{n}@example.com",
        "name": f"{FIRST[n % 5]} {LAST[n // 5 % 5]}".casefold(),
        "phone": f"+1 {n:08}",
    }
    metadata = {"order": str(n)} | ({"tier": ("gold", "silver")[n % 2]} if n % 3 else {})
    found = terms.of_customer(Scope(account, livemode), texts, metadata)
    shown = orjson.dumps(metadata).decode()
    return (account, livemode, f"cus_{n}", 1_700_000_000 + n, n, *texts.values(), shown, found)


async def explain(owner: asyncpg.Connection, query: str, *arguments: object) -> Plan:
    explained = await owner.fetchval(f"EXPLAIN (ANALYZE, BUFFERS OFF, FORMAT JSON) {query}", *arguments)
    return Plan(list(_nodes(orjson.loads(explained)[0]["Plan"])))


async def test_each_operator_goes_by_an_index(database: str) -> None:
    owner = await asyncpg.connect(database)
    await owner.execute("SET plan_cache_mode = force_custom_plan; SET jit = off")
    await owner.execute("DROP INDEX projections.search_terms")
    records = (customer(n) for n in range(CUSTOMERS))
    await owner.copy_records_to_table("search", schema_name="projections", records=records, columns=COLUMNS)
    await owner.execute("CREATE INDEX search_terms ON projections.search USING gin (terms)")
    await owner.execute(
        "INSERT INTO projections.customer (account, livemode, id, created, position, version, deleted, body) "
        "SELECT account, livemode, id, created, position, 1, false, '{}' FROM projections.search"
    )
    await owner.execute("ANALYZE projections.search; ANALYZE projections.customer")
    for asked in (*RARE, *COMMON, *NOWHERE):
        query = parse(asked)
        where = compile.condition(query, Scope("acct_1", False), first=7)
        page = FIND.format(where.sql)
        plan = await explain(owner, page, "acct_1", False, *start(query, BEGINNING), *BOUNDS, *where.arguments)
        message = f"{asked}: {plan}"
        assert "Seq Scan" not in plan.kinds, message
        assert plan.indexes & {"search_terms", "search_newest"}, message
        assert plan.touched <= TOUCHED_MAX, message
        if asked not in COMMON:
            where = compile.condition(query, Scope("acct_1", False), first=4)
            count = await explain(owner, COUNT.format(where.sql), "acct_1", False, 10_000, *where.arguments)
            assert "Seq Scan" not in count.kinds, f"{asked}: {count}"
    own = await owner.fetchval("SELECT count(*) FROM projections.search WHERE account = 'acct_1' AND NOT livemode")
    for asked in LEFT_BY_NOBODY:
        query = parse(asked)
        where = compile.condition(query, Scope("acct_1", False), first=7)
        page = FIND.format(where.sql)
        plan = await explain(owner, page, "acct_1", False, *start(query, BEGINNING), *BOUNDS, *where.arguments)
        message = f"{asked}: {plan}"
        assert plan.indexes >= {"search_newest"}, message
        assert "Seq Scan" not in plan.kinds, message
        assert plan.touched <= 2 * own + TOUCHED_MAX, f"{message}, of {own}, each in the index and in the table"
    await owner.close()
