"""No number of a card or a bank account, and no security code, is stored, sent on, logged or said back.

Everything is used that takes one, rightly and wrongly; then all there is is looked through.
"""

import asyncio
import logging
import random
import re
import uuid
from typing import Any

import pytest
import structlog

from events.record import Loaded
from service import logging as service_logging
from service import masking
from service.commands import cards
from service.health import Health
from service.roles import delivery
from tests.servers.receiver import Receiver
from tests.service.http.objects import SOON, account, card
from tests.service.serving import Answer, Api

NUMBER, OTHER, WRONG, DECLINED = "4242424242424242", "378282246310005", "4242424242424241", "4000000000000002"
ACCOUNT, IBAN = "000123456789", "DE89370400440532013000"
CVC, DOCUMENT = "8361", "735092814"
SPACED = "4242 4242 4242 4242"
SECRETS = re.compile(
    rb"(?<![0-9])(" + f"{NUMBER}|{OTHER}|{DECLINED}|{ACCOUNT}|{CVC}|{DOCUMENT}|{SPACED}".encode() + rb")(?![0-9])|"
    + f"{WRONG}|{IBAN}".encode()
)  # fmt: skip
US_ACCOUNT = f"us_bank_account[account_number]={ACCOUNT}&us_bank_account[routing_number]=110000000"
AU_ACCOUNT = f"au_becs_debit[account_number]={ACCOUNT}"
AMEX = {"number": OTHER, "cvc": CVC}


def assert_silent(*texts: str | bytes) -> None:
    """Assert that none of the texts has a secret in it."""
    for text in texts:
        found = SECRETS.search(text if isinstance(text, bytes) else text.encode())
        assert found is None, (found, text[:2000])


async def use_everything(api: Api) -> list[Answer]:
    """Send numbers wherever they may be sent, and wherever they may not; gives the answers."""
    customer = (await api.customer())["id"]
    own = f"/v1/customers/{customer}"
    source = (await api.post(f"{own}/sources", f"source={(await api.get('/v1/tokens/tok_visa')).json['id']}")).json[
        "id"
    ]
    method = (await api.post("/v1/payment_methods/pm_card_visa/attach", f"customer={customer}")).json["id"]
    right = [
        ("/v1/tokens", card(**AMEX)),
        ("/v1/tokens", card(SPACED)),
        ("/v1/tokens", account()),
        ("/v1/tokens", f"cvc_update[cvc]={CVC}"),
        ("/v1/tokens", f"pii[id_number]={DOCUMENT}"),
        ("/v1/customers", card(**AMEX, prefix="source", object="card")),
        ("/v1/customers", account(prefix="source", object="bank_account")),
        (own, card()),
        (own, account()),
        (own, card(prefix="source", object="card")),
        (f"{own}/sources", card(**AMEX)),
        (f"{own}/cards", card()),
        (f"{own}/bank_accounts", account()),
        ("/v1/payment_methods", f"type=card&{card(**AMEX)}"),
        ("/v1/payment_methods", f"type=sepa_debit&sepa_debit[iban]={IBAN}"),
        ("/v1/payment_methods", f"type=us_bank_account&{US_ACCOUNT}"),
        ("/v1/payment_methods", f"type=au_becs_debit&au_becs_debit[bsb_number]=000000&{AU_ACCOUNT}"),
    ]  # fmt: skip
    wrong = [
        ("/v1/tokens", card(WRONG)),
        ("/v1/tokens", card(exp_year=1999)),
        ("/v1/tokens", card(cvc=f"{CVC}x")),
        ("/v1/tokens", card(cvc=CVC)),
        ("/v1/tokens", f"card={NUMBER}"),
        ("/v1/tokens", f"bank_account={ACCOUNT}"),
        ("/v1/tokens", f"card[{NUMBER}]=1"),
        ("/v1/tokens", f"card[number][{NUMBER}]=1"),
        ("/v1/tokens", f"card[number]={NUMBER}&card[exp_month]={NUMBER}&card[exp_year]={CVC}"),
        ("/v1/tokens", f"card[number]={NUMBER * 400}&card[exp_month]=1&card[exp_year]=1"),
        ("/v1/tokens", f"cvc_update[{CVC}]=1"),
        ("/v1/tokens", f"bank_account[{ACCOUNT}]=1"),
        ("/v1/tokens", account(ACCOUNT, country=ACCOUNT)),
        ("/v1/tokens", account(routing_number=ACCOUNT)),
        ("/v1/tokens", account(account_holder_type=ACCOUNT)),
        ("/v1/tokens", f"{NUMBER}=1"),
        ("/v1/tokens", f"number={NUMBER}&cvc={CVC}"),
        ("/v1/tokens", f"expand[]={NUMBER}"),
        ("/v1/customers", f"source={NUMBER}"),
        ("/v1/customers", f"source={WRONG}"),
        ("/v1/customers", f"source={SPACED}"),
        ("/v1/customers", f"source[number]={NUMBER}"),
        ("/v1/customers", f"source[object]={NUMBER}"),
        ("/v1/customers", f"source[]={NUMBER}"),
        ("/v1/customers", f"payment_method={NUMBER}"),
        ("/v1/customers", card(DECLINED, prefix="source", object="card")),
        ("/v1/customers", f"invoice_settings[default_payment_method]={NUMBER}"),
        ("/v1/customers", f"coupon={NUMBER}"),
        ("/v1/customers", f"test_clock={NUMBER}"),
        ("/v1/customers", f"next_invoice_sequence={NUMBER}x"),
        (own, f"default_source={NUMBER}"),
        (own, f"default_source={WRONG}"),
        (own, f"card={NUMBER}"),
        (own, f"bank_account={ACCOUNT}"),
        (f"{own}/sources", f"card[number]={NUMBER}&card[metadata]={NUMBER}"),
        (f"{own}/sources", f"source[object]=card&source[number]={NUMBER}&source[exp_month]=1"),
        (f"{own}/sources/{source}", f"exp_month={NUMBER}"),
        (f"{own}/sources/{source}", f"exp_year={CVC}"),
        (f"{own}/sources/{NUMBER}", "name=x"),
        (f"{own}/sources/{NUMBER}/verify", "amounts[]=1"),
        (f"{own}/sources/{source}/verify", f"amounts[]={NUMBER}x"),
        ("/v1/payment_methods", f"type={NUMBER}"),
        ("/v1/payment_methods", f"type=card&card={NUMBER}"),
        ("/v1/payment_methods", f"type=card&card[token]={NUMBER}"),
        ("/v1/payment_methods", f"type=card&card[token]={WRONG}"),
        ("/v1/payment_methods", f"type=sepa_debit&sepa_debit[iban]={IBAN}0"),
        ("/v1/payment_methods", f"type=us_bank_account&us_bank_account[account_number]={ACCOUNT}"),
        (f"/v1/payment_methods/{NUMBER}/attach", f"customer={customer}"),
        (f"/v1/payment_methods/{method}/attach", f"customer={NUMBER}"),
        (f"/v1/payment_methods/{method}", f"card[number]={NUMBER}"),
        (f"/v1/payment_methods/{method}", f"card[exp_month]={NUMBER}"),
        (f"/v1/payment_methods/{method}", f"billing_details[email]={NUMBER}"),
        (f"/v1/customers/{NUMBER}", "name=x"),
        (f"/v1/{NUMBER}", "name=x"),
    ]  # fmt: skip
    answers = []
    for number, (path, body) in enumerate([*right, *wrong]):
        for headers in ({}, {"Idempotency_Key": f"key {number}"}, {"Idempotency_Key": f"key {number}"}):
            answer = await api.post(path.replace(" ", "%20"), body.replace(" ", "+"), **headers)
            assert (answer.status == 200) == (number < len(right)), (path, body, answer.body)
            answers.append(answer)
    asked = (
        f"/v1/tokens/{NUMBER}",
        f"/v1/tokens/{SPACED}",
        f"/v1/tokens/tok_{NUMBER}",
        f"{own}/sources/{NUMBER}",
        f"/v1/payment_methods/{NUMBER}",
        f"/v1/payment_methods?customer={NUMBER}",
        f"/v1/payment_methods?type={NUMBER}",
        f"{own}/sources?starting_after={NUMBER}",
        f"/v1/customers?limit={NUMBER}",
        f"/v1/{NUMBER}",
    )
    answers.extend([await api.get(path.replace(" ", "%20")) for path in asked])
    answers.extend([await api.post("/v1/customers", Idempotency_Key=key) for key in (NUMBER, SPACED)])
    answers.append(await api.get("/v1/customers", Stripe_Version=NUMBER))
    answers.append(await api.get("/v1/customers", Stripe_Account=NUMBER))
    return answers


async def stored(api: Api) -> list[bytes]:
    """The values of every column of every table."""
    columns = await api.core.pool.fetch(
        """
        SELECT table_schema, table_name, column_name FROM information_schema.columns
        JOIN information_schema.tables USING (table_schema, table_name)
        WHERE table_schema NOT IN ('pg_catalog', 'information_schema') AND table_type = 'BASE TABLE'
        """
    )
    assert len(columns) > 60
    values: list[bytes] = []
    for schema, table, column in columns:
        rows = await api.core.pool.fetch(f'SELECT "{column}" AS values FROM "{schema}"."{table}"')
        values.extend(
            row["values"] if isinstance(row["values"], bytes) else str(row["values"]).encode() for row in rows
        )
    return values


async def opened(api: Api) -> list[str]:
    """Every event there is, unsealed."""
    core = api.core
    streams = await core.pool.fetch("SELECT DISTINCT stream FROM events.log")
    events: list[str] = []
    for row in streams:
        loaded: Loaded = await core.log.load(row["stream"])
        key = core.master_keys.unwrap(loaded.wrapped_key, row["stream"]) if loaded.wrapped_key else None
        events.extend(repr(core.codec.decode(record, key=key)) for record in loaded.records)
    return events


async def test_no_card_number_or_security_code_is_stored_anywhere(
    api: Api, receiver: Receiver, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    endpoint = await api.post("/v1/webhook_endpoints", f"url={receiver.url('/')}&enabled_events[]=*")
    assert endpoint.status == 200
    answers = await use_everything(api)
    stop = asyncio.Event()
    working = asyncio.create_task(delivery.worker(api.core, Health(api.core, prepared=True), stop))
    notices = await api.core.pool.fetchval("SELECT count(*) FROM projections.notice")
    assert notices > 20
    await receiver.wait_for(notices)
    stop.set()
    await working
    assert_silent(*(answer.body for answer in answers))
    assert_silent(*(f"{name}: {value}" for answer in answers for name, value in answer.headers.items()))
    assert_silent(*await stored(api))
    events = await opened(api)
    assert any("CardAttached" in event and "last4='4242'" in event for event in events)
    assert_silent(*events)
    assert_silent(*(one.body for one in receiver.received("/")))
    assert_silent(*(await api.get("/v1/events?limit=100")).body.splitlines())
    said = capfd.readouterr()
    assert "request.answered" in said.out
    assert_silent(said.out, said.err, caplog.text)


async def test_what_is_said_of_a_number_is_its_last_digits(api: Api) -> None:
    for method, path, body, status in (
        ("GET", f"/v1/tokens/{NUMBER}", "", 404),
        ("GET", f"/v1/tokens/{SPACED.replace(' ', '%20')}", "", 404),
        ("POST", "/v1/customers", f"source={NUMBER}", 400),
        ("POST", "/v1/customers", f"payment_method={NUMBER}", 400),
        ("POST", "/v1/customers", f"coupon={NUMBER}", 400),
    ):
        assert "'****4242'" in (await api.refused(method, path, body, status=status))[2]


async def test_a_body_longer_than_it_says_is_not_logged_as_a_request(
    api: Api, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", api.port)
    head = f"POST /v1/tokens HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {api.key}\r\nContent-Length: 5\r\n\r\n"
    writer.write(f"{head}card[".encode())
    answers = await reader.readuntil(b'"invalid_request_error"')
    writer.write(f"{card(**AMEX)} /{NUMBER} HTTP/9\r\n\r\n".encode())
    answers += await reader.read()
    writer.close()
    await writer.wait_closed()
    assert answers.count(b" 400 Bad Request") == 2
    said = capfd.readouterr()
    assert_silent(answers, caplog.text, *said)
    assert "request.unreadable" in said.out


@pytest.mark.parametrize("production", [True, False])
def test_a_traceback_does_not_show_the_values_of_variables(production: bool) -> None:
    def fail(number: str) -> None:
        raise RuntimeError("of no interest")

    with pytest.raises(RuntimeError) as raised:
        fail(NUMBER)
    line: dict[str, Any] = {"event": "request.failed", "exc_info": raised.value}
    if production:
        said: Any = service_logging._json(None, "error", line)
        assert b"RuntimeError" in said
    else:
        said = service_logging.readable(colors=False)(structlog.get_logger(), "error", line)
        assert "RuntimeError" in said
    assert_silent(said)


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("No such token: '4242424242424242'", "No such token: '****4242'"),
        ("4242-4242-4242-4242, 378282246310005.", "****4242, ****0005."),
        ("Invalid integer: 4242424242424241", "Invalid integer: 4242424242424241"),
        ("1700000000 and 42", "1700000000 and 42"),
        ("42424242424242424242", "42424242424242424242"),
        ("x4242424242424242x", "x****4242x"),
    ],
)
def test_what_may_be_the_number_of_a_card_is_masked(text: str, masked: str) -> None:
    assert masking.masked(text) == masked


def test_of_what_was_sent_as_an_id_any_long_number_is_masked() -> None:
    assert masking.masked_id(WRONG) == "****4241"
    assert masking.masked_id("card_1") == "card_1"
    assert masking.hidden("card[4242 4242 4242 4242][x1]") == "card[****][x1]"


def test_every_number_for_tests_would_be_masked() -> None:
    for number in cards.BY_NUMBER:
        assert masking.masked(f"No such token: '{number}'") == f"No such token: '****{number[-4:]}'"
        for key in (number, f"order-{number}", f"{number}/1", f"1-{number}", f"x{number}x", f"12345 {number} 6"):
            assert masking.holds_card_number(key), key


@pytest.mark.parametrize(
    "key",
    ["4242 4242 4242 4242", "order-4242-4242-4242-4242-1", "a.4242.4242.4242.4242", "2026:4242/4242/4242/4242",
     "3782-822463-10005", "retry_4242_4242_4242_4242", "４２４２４２４２４２４２４２４２", "0000-4532015112830366"],
)  # fmt: skip
def test_a_number_in_groups_is_found_too(key: str) -> None:
    assert masking.holds_card_number(key)


@pytest.mark.parametrize(
    "key",
    ["", "order-1", "order-6735", "1764211352000", "2026-11-27T02:45:00.123456", "4242424242424241",
     "42424242424242424242", "stripe-node-retry-42424242-4242-4242-8242-424242424242", f"a{NUMBER}{NUMBER}b",
     *(f"order-{1764211352000 + n}" for n in range(10)), *(f"5123-202611{n}-0245" for n in range(10, 30))],
)  # fmt: skip
def test_what_only_looks_like_a_number_is_none(key: str) -> None:
    assert not masking.holds_card_number(key)


def test_no_uuid_and_no_digest_is_taken_for_a_number() -> None:
    dice = random.Random(4)
    for _ in range(20_000):
        assert not masking.holds_card_number(f"retry-{uuid.UUID(int=dice.getrandbits(128))}")
        assert not masking.holds_card_number(dice.randbytes(16).hex())


async def test_a_card_number_within_an_idempotency_key_is_refused_and_stays_nowhere(api: Api) -> None:
    for key in (f"order-{NUMBER}", f"{SPACED} again"):
        answer = await api.post("/v1/customers", "name=x", Idempotency_Key=key)
        assert answer.status == 400
        assert_silent(answer.body, str(answer.headers))


def test_what_is_made_of_a_request_shows_nothing_of_it() -> None:
    from service.http import params
    from service.http.params.payment_method import CreatePaymentMethod
    from service.http.params.source import CreateSource

    sent = {"number": NUMBER, "exp_month": "1", "exp_year": str(SOON), "cvc": CVC}
    assert_silent(
        repr(params.parse(CreateSource, {"card": sent})),
        repr(params.parse(CreatePaymentMethod, {"type": "card", "card": sent})),
    )
