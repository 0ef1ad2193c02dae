"""Numbers of cards and accounts pass through and stay nowhere: not in the database, the logs, the queues, the webhooks.

Everything that may carry one is used, rightly and wrongly, against a whole service; then every table, message, log and
answer is searched.
"""

import secrets
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import aio_pika
import aiohttp
import asyncpg
import pytest

from service.commands.keys import DEVELOPMENT_KEY
from tests.servers.receiver import Receiver
from tests.service.serving import Launch
from tests.waiting import until

GOOD, DECLINED, WRONG, ACCOUNT, IBAN, CVC = (
    "378282246310005",  # with a code of four digits, which can be looked for
    "4000000000000002",
    "378282246310006",
    "000123456789",
    "DE89370400440532013000",
    "7913",
)
VISA = "4242424242424242"
SECRETS = (GOOD, DECLINED, WRONG, VISA, ACCOUNT, IBAN, f"cvc%5D={CVC}", f'"{CVC}"', f"'{CVC}'")
COLUMNS = """
SELECT format('%I.%I', table_schema, table_name) AS table, column_name AS column
FROM information_schema.columns
WHERE table_schema IN ('events', 'keys', 'projections', 'webhooks')
  AND (data_type IN ('text', 'bytea', 'jsonb', 'json', 'ARRAY') OR data_type = 'USER-DEFINED')
"""


NUMBERS = (GOOD, DECLINED, WRONG, VISA)


def card(number: str) -> dict[str, str]:
    return {
        "[number]": number,
        "[exp_month]": "12",
        "[exp_year]": "2040",
        "[cvc]": CVC if number in (GOOD, WRONG) else "123",
    }


def sent(prefix: str, fields: dict[str, str], **more: str) -> str:
    return urlencode({f"{prefix}{name}": value for name, value in fields.items()} | more)


BANK = {"[country]": "US", "[currency]": "usd", "[routing_number]": "110000000", "[account_number]": ACCOUNT}
OBJECT = {"[object]": "card"}
NAMED = (("tok_visa", "mastercard"), ("tok_amex", "visa"))
REQUESTS = (
    *(("/v1/tokens", sent("card", card(number))) for number in NUMBERS),
    ("/v1/tokens", sent("bank_account", BANK)),
    ("/v1/tokens", sent("card", card(GOOD) | {"[nonsense]": GOOD})),
    ("/v1/tokens", urlencode({"card": GOOD})),
    *(("/v1/customers", sent("source", card(number) | OBJECT)) for number in NUMBERS),
    ("/v1/customers", sent("source", BANK | {"[object]": "bank_account"})),
    ("/v1/customers", urlencode({"source": GOOD})),
    ("/v1/customers", urlencode({"payment_method": GOOD})),
    ("/v1/customers", urlencode({"coupon": GOOD})),
    ("/v1/customers", sent("source", card(GOOD) | OBJECT, email="nobody")),
    ("/v1/customers", sent("card", card(GOOD))),
    *(("/v1/payment_methods", sent("card", card(number), type="card")) for number in NUMBERS),
    *(("/v1/customers", f"source={name}&payment_method=pm_card_{kind}") for name, kind in NAMED),
    ("/v1/payment_methods", sent("sepa_debit", {"[iban]": IBAN}, type="sepa_debit")),
    ("/v1/payment_methods", urlencode({"type": "us_bank_account", "us_bank_account[account_number]": ACCOUNT})),
    ("/v1/payment_methods", urlencode({"type": "card", f"card[{GOOD}]": "1"})),
    (f"/v1/payment_methods/{GOOD}/attach", "customer=cus_1"),
    (f"/v1/customers/{GOOD}", "name=x"),
    (f"/v1/{GOOD}", ""),
)


@pytest.mark.rabbitmq
async def test_what_was_sent_in_confidence_is_kept_nowhere(
    launch: Launch, receiver: Receiver, amqp_url: str, database: str, tmp_path: Path
) -> None:
    name = f"test.{secrets.token_hex(4)}"
    service = await launch("serve", AMQP_URL=amqp_url, ROLLBOOK_EXCHANGE=name, ROLLBOOK_FANOUT_QUEUE=f"{name}.fanout")
    async with await aio_pika.connect(amqp_url) as broker:
        channel = await broker.channel()
        exchange = await channel.get_exchange(name, ensure=False)
        queue = await channel.declare_queue(f"{name}.all")

        async def bound() -> bool:
            try:
                await queue.bind(exchange, "#")
            except aio_pika.exceptions.AMQPError:
                await channel.reopen()
                return False
            return True

        await until(bound)
        said = await _use(service.url, receiver.url("/hook"))
        count = await _all_published(database)
        assert count > 10
        received = [one.body for one in await receiver.wait_for(count, "/hook")]
        messages = [await queue.get(timeout=10) for _ in range(count)]
        for message in messages:
            await message.ack()
        await queue.delete(if_unused=False, if_empty=False)
        await channel.exchange_delete(name)
        await channel.queue_delete(f"{name}.fanout")
    await service.kill9()
    assert any(b'"last4": "4242"' in body for body in received), "the last four digits may be shown"
    _search("an answer", said)
    _search("a webhook", received)
    _search("a message", [message.body + repr(message.headers).encode() for message in messages])
    _search("a log", _logs(tmp_path))
    await _search_database(database)


async def _use(url: str, hook: str) -> list[bytes]:
    """Every request, each under a key of its own and twice over; gives what was answered."""
    answers = []
    headers = {"Authorization": f"Bearer {DEVELOPMENT_KEY}", "Content-Type": "application/x-www-form-urlencoded"}
    async with aiohttp.ClientSession(headers=headers) as session:

        async def post(path: str, body: str, key: str) -> Any:
            async with session.post(url + path, data=body, headers={"Idempotency-Key": key}) as answer:
                answers.append(await answer.read())
                assert answer.status < 500, answers[-1]
                return answer.status

        assert await post("/v1/webhook_endpoints", f"url={hook}&enabled_events[]=*", "hook") == 200
        answers.clear()  # it has the endpoint's secret
        for number, (path, body) in enumerate(REQUESTS):
            first = await post(path, body, f"key-{number}")
            assert await post(path, body, f"key-{number}") == first
        async with session.get(f"{url}/v1/tokens/{GOOD}") as answer:
            answers.append(await answer.read())
    return answers


async def _all_published(dsn: str) -> int:
    """How many notices there are."""
    owner = await asyncpg.connect(dsn)
    count: int = await owner.fetchval("SELECT sequence FROM projections.notice_head")
    await owner.close()
    return count


def _logs(directory: Path) -> list[bytes]:
    return [path.read_bytes() for path in directory.glob("*.log")]


async def _search_database(dsn: str) -> None:
    owner = await asyncpg.connect(dsn)
    columns = await owner.fetch(COLUMNS)
    assert len(columns) > 50
    rows = 0
    for table, column in columns:
        found = await owner.fetch(f"SELECT {column}::text AS value FROM {table} WHERE {column} IS NOT NULL")
        rows += len(found)
        texts = [row["value"].encode() for row in found]
        decoded = [bytes.fromhex(text[2:].decode()) for text in texts if text.startswith(b"\\x")]
        _search(f"{table}.{column}", [*texts, *decoded])
    assert rows > 500
    await owner.close()


def _search(where: str, texts: list[bytes]) -> None:
    for text in texts:
        for secret in SECRETS:
            assert secret.encode() not in text, f"{secret} is in {where}: {text[:400]!r}"
