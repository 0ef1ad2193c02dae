"""Sending through an egress proxy: what it is asked for, and whose fault it is when nothing goes through."""

import base64
import socket
import time
from asyncio import StreamReader, StreamWriter
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from yarl import URL

from tests.waiting import until
from tests.webhooks import receiver
from tests.webhooks.certificates import Authority
from tests.webhooks.naming import fails_with, leads_to
from tests.webhooks.post.hostile import HOSTILE_ADDRESSES, HOSTILE_URLS
from tests.webhooks.post.request_targets import TARGETS
from tests.webhooks.proxying import EgressProxy, says
from tests.webhooks.receiver import Receiver, answers
from webhooks.outcome import Fault, Outcome
from webhooks.post import proxy, signature, tls
from webhooks.post.proxy import Proxy
from webhooks.post.sender import Sender
from webhooks.post.ssrf import Policy

PRODUCTION = Policy(production=True)
DEVELOPMENT = Policy(production=False)
SECRET = signature.new_secret(bytes(range(32)))
NAME = "receiver.example"
PUBLIC = "1.1.1.1"  # where nobody is asked: the proxy leads elsewhere


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


@pytest_asyncio.fixture
async def secure(authority: Authority) -> AsyncIterator[Receiver]:
    """A receiver with a certificate for NAME."""
    async with Receiver(answers(200, b"thanks"), tls=authority.serving(NAME)) as each:
        yield each


def through(egress: EgressProxy | str, authority: Authority | None = None, **options: Any) -> Sender:
    """A sender that knows NAME, by default in production."""
    url = URL(egress if isinstance(egress, str) else egress.url)
    return Sender(
        options.pop("policy", PRODUCTION),
        proxy=Proxy(url, resolves=options.pop("resolves", False)),
        lookup=options.pop("lookup", leads_to(PUBLIC)),
        tls=tls.context(authority.ca_file) if authority else None,
        **options,
    )


async def post(sender: Sender, url: str) -> Outcome:
    return await sender.post(url, b"{}", [SECRET], id="evt_1", timestamp=int(time.time()))


async def test_the_proxy_is_asked_for_the_vetted_address_and_the_receiver_by_name(
    authority: Authority, secure: Receiver
) -> None:
    async with EgressProxy(secure.port) as egress, through(egress, authority) as sender:
        outcome = await post(sender, f"https://{NAME}:8443/hook?a=1")
    assert (outcome.delivered, outcome.excerpt) == (True, b"thanks")
    assert egress.lines == [f"CONNECT {PUBLIC}:8443 HTTP/1.1"]
    [received] = secure.received
    assert (received.line, received.headers["host"]) == ("POST /hook?a=1 HTTP/1.1", f"{NAME}:8443")


async def test_an_address_of_ipv6_is_asked_for_in_brackets(authority: Authority, secure: Receiver) -> None:
    async with (
        EgressProxy(secure.port) as egress,
        through(egress, authority, lookup=leads_to("2606:4700::1111")) as sender,
    ):
        assert (await post(sender, f"https://{NAME}/")).delivered
    assert egress.lines == ["CONNECT [2606:4700::1111]:443 HTTP/1.1"]


async def test_the_certificate_must_be_that_of_the_name(authority: Authority) -> None:
    async with (
        Receiver(answers(200), tls=authority.serving(PUBLIC)) as target,
        EgressProxy(target.port) as egress,
        through(egress, authority) as sender,
    ):
        assert (await post(sender, f"https://{NAME}/")).fault == "tls"
        assert (await post(sender, f"https://{PUBLIC}/")).delivered
        assert len(target.received) == 1


async def test_a_tunnel_is_kept_for_the_next_post_but_not_for_another_name(authority: Authority) -> None:
    async with (
        Receiver(answers(200), tls=authority.serving(NAME)) as target,
        EgressProxy(target.port) as egress,
        through(egress, authority) as sender,
    ):
        for _ in range(3):
            assert (await post(sender, f"https://{NAME}/")).delivered
        assert (egress.connections, target.connections) == (1, 1)
        assert (await post(sender, "https://other.example/")).fault == "tls"
        assert len(target.received) == 3


async def test_a_kept_tunnel_closed_meanwhile_costs_no_attempt(authority: Authority) -> None:
    async def closes_before_the_second_answer(reader: StreamReader, writer: StreamWriter) -> None:
        await (receiver.hangs_up if len(target.received) == 2 else answers(200))(reader, writer)

    async with (
        Receiver(closes_before_the_second_answer, tls=authority.serving(NAME)) as target,
        EgressProxy(target.port) as egress,
        through(egress, authority) as sender,
    ):
        assert (await post(sender, f"https://{NAME}/")).delivered
        assert (await post(sender, f"https://{NAME}/")).delivered
        assert (len(target.received), egress.connections) == (3, 2)


async def test_but_a_proxy_that_opens_no_other_then_is_at_fault(authority: Authority) -> None:
    async def closes_at_the_second_request(reader: StreamReader, writer: StreamWriter) -> None:
        await (receiver.hangs_up if len(target.received) == 2 else answers(200))(reader, writer)

    async with (
        Receiver(closes_at_the_second_request, tls=authority.serving(NAME)) as target,
        EgressProxy(target.port, answers=(None, says(407))) as egress,
        through(egress, authority) as sender,
    ):
        assert (await post(sender, f"https://{NAME}/")).delivered
        assert (await post(sender, f"https://{NAME}/")).fault == "proxy"


async def test_user_and_password_are_for_the_proxy_alone(authority: Authority, secure: Receiver) -> None:
    async with (
        EgressProxy(secure.port) as egress,
        through(f"http://me:hu%20sh@{egress.address}", authority) as sender,
    ):
        assert (await post(sender, f"https://{NAME}/")).delivered
    assert egress.asked[0].headers["proxy-authorization"] == "Basic " + base64.b64encode(b"me:hu sh").decode()
    assert not {"proxy-authorization", "authorization"} & set(secure.received[0].headers)
    assert {"stripe-signature", "webhook-signature"}.isdisjoint(egress.asked[0].headers)


async def test_a_proxy_may_be_spoken_to_by_https(authority: Authority, secure: Receiver) -> None:
    async with EgressProxy(secure.port, tls=authority.serving("127.0.0.1")) as egress:
        async with through(egress, authority) as sender:
            assert (await post(sender, f"https://{NAME}/")).delivered
        async with through(egress) as distrustful:
            assert (await post(distrustful, f"https://{NAME}/")).fault == "proxy"


async def test_a_plain_url_goes_through_with_the_vetted_address_too() -> None:
    async with (
        Receiver(answers(200)) as target,
        EgressProxy(target.port) as egress,
        through(f"http://me:hush@{egress.address}", policy=DEVELOPMENT) as sender,
    ):
        assert (await post(sender, f"http://{NAME}:8080/hook")).delivered
    assert egress.lines == [f"POST http://{PUBLIC}:8080/hook HTTP/1.1"]
    assert egress.asked[0].headers["host"] == f"{NAME}:8080"
    assert egress.asked[0].headers["proxy-authorization"].startswith("Basic ")


async def test_through_a_proxy_too_the_url_is_asked_for_as_it_is_registered(
    authority: Authority, secure: Receiver
) -> None:
    async with EgressProxy(secure.port) as egress, through(egress, authority) as sender:
        for asked in TARGETS:
            assert (await post(sender, f"https://{NAME}{asked}")).delivered
    assert [request.line for request in secure.received] == [f"POST {asked} HTTP/1.1" for asked in TARGETS]
    async with (
        Receiver(answers(200, Connection="close")) as target,
        EgressProxy(target.port) as egress,
        through(egress, policy=DEVELOPMENT) as sender,
    ):
        for asked in TARGETS:
            assert (await post(sender, f"http://{NAME}{asked}")).delivered
    assert egress.lines == [f"POST http://{PUBLIC}{asked} HTTP/1.1" for asked in TARGETS]


async def test_a_proxy_that_resolves_is_given_the_name(authority: Authority, secure: Receiver) -> None:
    blind = fails_with(socket.EAI_NONAME, resolver_answers=False)
    async with EgressProxy(secure.port) as egress, through(egress, authority, resolves=True, lookup=blind) as sender:
        assert (await post(sender, f"https://{NAME}/")).delivered
    assert egress.lines == [f"CONNECT {NAME}:443 HTTP/1.1"]


@pytest.mark.parametrize("resolves", [False, True])
async def test_no_hostile_url_gets_as_far_as_the_proxy(resolves: bool) -> None:
    async with EgressProxy(1) as egress, through(egress, resolves=resolves, lookup=leads_to("127.0.0.1")) as sender:
        for url in HOSTILE_URLS:
            assert (await post(sender, url.replace("PORT", "8443"))).fault == "address_refused", url
    assert egress.connections == 0


async def test_no_name_that_leads_to_a_hostile_address_gets_as_far_as_the_proxy() -> None:
    async with EgressProxy(1) as egress:
        for address in HOSTILE_ADDRESSES:
            async with through(egress, lookup=leads_to(address)) as sender:
                assert (await post(sender, f"https://{NAME}/")).fault == "address_refused", address
    assert egress.connections == 0


async def test_of_several_addresses_the_closed_are_not_asked_for_and_the_open_in_turn(
    authority: Authority, secure: Receiver
) -> None:
    several = leads_to("10.0.0.1", "2606:4700::1111", "127.0.0.1", PUBLIC)
    async with (
        EgressProxy(secure.port, answers=(says(502),)) as egress,
        through(egress, authority, lookup=several) as sender,
    ):
        assert (await post(sender, f"https://{NAME}/")).delivered
    assert egress.lines == ["CONNECT [2606:4700::1111]:443 HTTP/1.1", f"CONNECT {PUBLIC}:443 HTTP/1.1"]
    async with EgressProxy(1, answers=(says(407),)) as egress, through(egress, lookup=several) as sender:
        assert (await post(sender, f"https://{NAME}/")).fault == "proxy"
    assert len(egress.asked) == 1, "of its own trouble it is asked no more"


@pytest.mark.parametrize(
    ("answer", "fault"),
    [
        (says(407), "proxy"),
        (says(403), "proxy"),
        (says(400), "proxy"),
        (says(405), "proxy"),
        (says(429), "proxy"),
        (says(500), "proxy"),
        (says(302, Location="http://login.example/"), "proxy"),
        (says(502), "connect"),
        (says(504), "connect"),
        (says(503), "proxy"),
        (says(503, X_Squid_Error="ERR_CONNECT_FAIL 111"), "connect"),
        (says(503, X_Squid_Error="ERR_DNS_FAIL 0"), "connect"),
        (says(503, X_Squid_Error="ERR_TOO_BIG 0"), "proxy"),
        (says(503, Proxy_Status="envoy; error=connection_refused"), "connect"),
        (says(502, Proxy_Status='envoy; details="x"; error=proxy_internal_error'), "proxy"),
        (says(502, Proxy_Status="far; error=connection_timeout, near; error=destination_ip_prohibited"), "proxy"),
        (b"", "proxy"),
        (b"220 mail.example.com ESMTP\r\n\r\n", "proxy"),
    ],
)
async def test_a_proxy_that_opens_no_tunnel_is_at_fault_unless_it_says_the_receiver_is(
    answer: bytes, fault: Fault
) -> None:
    async with EgressProxy(1, answers=(answer,)) as egress, through(egress) as sender:
        outcome = await post(sender, f"https://{NAME}/")
    assert (outcome.fault, outcome.own_fault, outcome.status) == (fault, fault == "proxy", None)


async def test_nobody_listening_where_the_proxy_should_be() -> None:
    async with EgressProxy(1) as egress:
        gone = egress.url
    for url in (f"https://{NAME}/", f"http://{NAME}/"):
        async with through(gone, policy=DEVELOPMENT) as sender:
            assert (await post(sender, url)).fault == "proxy"


async def test_a_proxy_whose_name_does_not_resolve() -> None:
    nowhere = fails_with(socket.EAI_NONAME, resolver_answers=True)
    async with through("http://proxy.example:4750", lookup=nowhere, resolves=True) as sender:
        assert (await post(sender, f"https://{NAME}/")).fault == "proxy"


@pytest.mark.parametrize(
    ("number", "resolver_answers", "fault"),
    [(socket.EAI_NONAME, True, "dns"), (socket.EAI_AGAIN, True, "dns"), (socket.EAI_AGAIN, False, "resolver")],
)
async def test_a_name_that_does_not_resolve_has_a_fault_of_its_own_here_too(
    number: int, resolver_answers: bool, fault: Fault
) -> None:
    async with (
        EgressProxy(1) as egress,
        through(egress, lookup=fails_with(number, resolver_answers=resolver_answers)) as sender,
    ):
        assert (await post(sender, f"https://{NAME}/")).fault == fault
    assert egress.connections == 0


async def test_a_proxy_that_takes_no_connection_is_at_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("webhooks.post.sender.PROBE_TIMEOUT_S", 0.1)
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))
        deaf.listen(0)
        port = deaf.getsockname()[1]
        with socket.create_connection(("127.0.0.1", port)):  # its queue is full now
            async with through(f"http://127.0.0.1:{port}", connect_timeout_s=0.1) as sender:
                assert (await post(sender, f"https://{NAME}/")).fault == "proxy"


async def test_a_proxy_that_takes_one_and_gives_no_answer_waits_for_the_receiver() -> None:
    async with Receiver(receiver.hangs) as egress, through(egress.url[:-5], connect_timeout_s=0.1) as sender:
        assert (await post(sender, f"https://{NAME}/")).fault == "connect"
        assert egress.received[0].line.startswith("CONNECT ")


@pytest.mark.parametrize(("status", "fault"), [(407, "proxy"), (502, None), (500, None)])
async def test_of_answers_to_plain_urls_only_407_is_surely_the_proxys(status: int, fault: Fault | None) -> None:
    async with (
        Receiver(answers(status)) as target,
        EgressProxy(target.port) as egress,
        through(egress, policy=DEVELOPMENT) as sender,
    ):
        outcome = await post(sender, f"http://{NAME}/")
    assert (outcome.fault, outcome.status, outcome.own_fault) == (fault, status, fault is not None)


@pytest.mark.parametrize(
    ("script", "fault"),
    [
        (receiver.hangs, "timeout"),
        (receiver.hangs_up, "reset"),
        (receiver.talks_nonsense, "protocol"),
        (answers(407), None),
        (answers(502), None),
    ],
)
async def test_what_a_receiver_does_behind_the_proxy_is_its_own_doing(
    authority: Authority, script: receiver.Script, fault: Fault | None
) -> None:
    async with (
        Receiver(script, tls=authority.serving(NAME)) as target,
        EgressProxy(target.port) as egress,
        through(egress, authority, total_timeout_s=0.5) as sender,
    ):
        outcome = await post(sender, f"https://{NAME}/")
        await until(lambda: target.received)
    assert (outcome.fault, outcome.own_fault, outcome.delivered) == (fault, False, False)


async def test_and_through_a_kept_tunnel_too(authority: Authority) -> None:
    async def hangs_at_the_second_request(reader: StreamReader, writer: StreamWriter) -> None:
        await (receiver.hangs if len(target.received) == 2 else answers(200))(reader, writer)

    async with (
        Receiver(hangs_at_the_second_request, tls=authority.serving(NAME)) as target,
        EgressProxy(target.port) as egress,
        through(egress, authority, total_timeout_s=0.5) as sender,
    ):
        assert (await post(sender, f"https://{NAME}/")).delivered
        assert (await post(sender, f"https://{NAME}/")).fault == "timeout"
        assert egress.connections == 1


async def test_proxies_of_the_environment_are_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    async with EgressProxy(1) as egress, Receiver(answers(200)) as target, Sender(DEVELOPMENT) as sender:
        for variable in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
            monkeypatch.setenv(variable, egress.url)
        assert (await post(sender, target.url)).delivered
    assert egress.connections == 0


@pytest.mark.parametrize(
    "text", ["http://proxy:4750", "https://proxy.example", "http://me:hush@[::1]:3128/", "http://10.0.0.1:8080"]
)
def test_urls_of_proxies(text: str) -> None:
    assert proxy.parse(text) == URL(text)


@pytest.mark.parametrize(
    "text",
    [
        "", "proxy:4750", "socks5://proxy:1080", "//proxy", "http://", "http://me:hush@", "http://proxy:0",
        "http://proxy:hush", "http://proxy:99999", "http://proxy/hush", "http://proxy?hush", "http://proxy#hush",
        "http://[hush",
    ],
)  # fmt: skip
def test_what_is_no_url_of_a_proxy_is_refused_and_not_repeated(text: str) -> None:
    with pytest.raises(ValueError) as refused:
        proxy.parse(text)
    assert "hush" not in str(refused.value)


def test_a_proxy_does_not_show_its_password() -> None:
    assert "hush" not in repr(Proxy(URL("http://me:hush@proxy/")))


@pytest.mark.parametrize(
    ("status", "headers", "blamed"),
    [(502, {}, True), (503, {}, False), (407, {"Proxy-Status": "p; error=dns_error"}, True)],
)
def test_what_a_proxy_says_best_goes_before_the_number(status: int, headers: Mapping[str, str], blamed: bool) -> None:
    assert proxy.blames_receiver(status, headers) == blamed
