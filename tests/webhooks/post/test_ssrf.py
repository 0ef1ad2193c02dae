"""What may be called: tables of hostile URLs, names and addresses, and a listener that none of them reaches."""

import asyncio
import socket
from asyncio import StreamReader, StreamWriter
from asyncio.selector_events import BaseSelectorEventLoop
from collections.abc import AsyncIterator
from contextlib import suppress
from errno import ENETUNREACH
from ipaddress import ip_address, ip_network
from typing import Self

import pytest
import pytest_asyncio
from hypothesis import given
from hypothesis import strategies as st
from yarl import URL

from tests.webhooks.naming import leads_in_turn, leads_to
from tests.webhooks.post.hostile import HOSTILE_ADDRESSES, HOSTILE_URLS
from tests.webhooks.receiver import Receiver, answers
from webhooks.outcome import Outcome
from webhooks.post import signature
from webhooks.post.receiver_url import ReceiverUrl
from webhooks.post.resolver import Lookup
from webhooks.post.sender import Sender
from webhooks.post.ssrf import AddressRefused, AddrInfo, Policy, UrlRefused

PRODUCTION = Policy(production=True)
DEVELOPMENT = Policy(production=False)
SECRET = signature.new_secret(bytes(range(32)))


PUBLIC_ADDRESSES = [
    "1.1.1.1", "8.8.8.8", "9.255.255.255", "11.0.0.0", "100.63.255.255", "100.128.0.0", "126.255.255.255",
    "128.0.0.0", "169.253.255.255", "172.15.255.255", "172.32.0.0", "192.0.1.0", "192.167.255.255", "192.169.0.0",
    "198.17.255.255", "198.20.0.0", "223.255.255.255", "::ffff:8.8.8.8", "2000::1", "2001:200::1",
    "2001:4860:4860::8888", "2003::1", "2606:4700::1111", "2a00:1450::1",
]  # fmt: skip


# Resolver as they are found on the internet, with what they may lead to.
HOSTILE_ANSWERS = {
    "127.0.0.1.nip.io": ["127.0.0.1"],
    "0x7f000001.example": ["127.0.0.1"],  # a name, for it does not end in a number
    "localtest.me": ["127.0.0.1", "::1"],
    "a9fea9fe.example": ["169.254.169.254"],
    "alias.example": ["10.0.0.5"],  # as after a CNAME to a name of the inside
    "mapped.example": ["::ffff:127.0.0.1", "::ffff:169.254.169.254"],
    "mixed.example": ["127.0.0.1", "192.168.0.1", "::1"],
    "nothing.example": ["0.0.0.0", "::"],
    "carried.example": ["64:ff9b::7f00:1", "2002:7f00:1::1", "::7f00:1", "2001:0:7f00:1::1", "2606:4700::5efe:7f00:1"],
    "everybody.example": ["255.255.255.255", "224.0.0.1", "ff02::1"],
}


THIS_MACHINE = {"127.0.0.1", "127.0.0.2", "127.1.2.3", "0.0.0.0", "::", "::1", "::ffff:7f00:1"}


class Trap:
    """Listens on every address of this machine, IPv6 too, and counts who comes; what would leave it comes to nothing.

    So a guard that fails is seen, and does no harm.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.connections = 0
        self.dialled: list[str] = []
        dial = BaseSelectorEventLoop.sock_connect

        async def noted(loop: BaseSelectorEventLoop, connecting: socket.socket, address: tuple[str, int]) -> None:
            self.dialled.append(address[0])
            if address[0] not in THIS_MACHINE:
                raise OSError(ENETUNREACH, "Network is unreachable")
            await dial(loop, connecting, address)

        monkeypatch.setattr(BaseSelectorEventLoop, "sock_connect", noted)

    async def __aenter__(self) -> Self:
        if socket.has_dualstack_ipv6():
            listening = socket.create_server(("::", 0), family=socket.AF_INET6, dualstack_ipv6=True)
        else:
            listening = socket.create_server(("0.0.0.0", 0))
        self.port = listening.getsockname()[1]
        self._server = await asyncio.start_server(self._count, sock=listening)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()

    def _count(self, _: StreamReader, writer: StreamWriter) -> None:
        self.connections += 1
        writer.close()


@pytest_asyncio.fixture
async def trap(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Trap]:
    async with Trap(monkeypatch) as each:
        yield each


class NoGuard(Policy):
    """Lets everything through that the client can read."""

    def vet_url(self, url: str, *, livemode: bool = False) -> ReceiverUrl:
        try:
            read = URL(url)
            host, port = read.raw_host or "", read.port or 0
            authority = read.host_port_subcomponent or ""
            return ReceiverUrl(read.scheme, host, False, port, authority, read.raw_path_qs, read.origin())
        except (ValueError, IndexError) as error:
            raise UrlRefused("it does not parse") from error

    def open_socket(self, found: AddrInfo) -> socket.socket:
        return socket.socket(*found[:3])


async def post(policy: Policy, url: str, lookup: Lookup | None = None) -> Outcome:
    async with Sender(policy, lookup=lookup) as sender:
        return await sender.post(url, b"{}", [SECRET], id="evt_1", timestamp=1_700_000_000)


def test_the_tables_are_as_long_as_they_should_be() -> None:
    assert len(set(HOSTILE_URLS)) == len(HOSTILE_URLS) >= 60
    assert len(set(HOSTILE_ADDRESSES)) == len(HOSTILE_ADDRESSES) >= 60


@pytest.mark.parametrize("url", HOSTILE_URLS)
async def test_no_hostile_url_reaches_a_listener(trap: Trap, url: str) -> None:
    outcome = await post(PRODUCTION, url.replace("PORT", str(trap.port)), leads_to("127.0.0.1"))
    assert (outcome.fault, trap.dialled, trap.connections) == ("address_refused", [], 0)


@pytest.mark.parametrize("answers", HOSTILE_ANSWERS.values(), ids=HOSTILE_ANSWERS)
async def test_no_hostile_answer_to_a_name_leads_to_a_listener(trap: Trap, answers: list[str]) -> None:
    outcome = await post(PRODUCTION, f"https://harmless.example:{trap.port}/", leads_to(*answers))
    assert (outcome.fault, trap.dialled, trap.connections) == ("address_refused", [], 0)


async def test_no_hostile_address_is_dialled_whatever_name_leads_there(trap: Trap) -> None:
    for address in HOSTILE_ADDRESSES:
        outcome = await post(PRODUCTION, f"https://harmless.example:{trap.port}/", leads_to(address))
        assert (outcome.fault, trap.dialled, trap.connections) == ("address_refused", [], 0), address


async def test_without_the_guard_the_same_tables_lead_to_the_listener(trap: Trap) -> None:
    everything = NoGuard(production=True)
    reached = []
    for url in HOSTILE_URLS:
        before = trap.connections
        with suppress(AssertionError, ValueError, TypeError):  # what the client cannot make sense of either
            await post(everything, url.replace("PORT", str(trap.port)), leads_to("127.0.0.1"))
        if trap.connections > before:
            reached.append(url)
    assert len(reached) >= 30
    reached_addresses = {ip_address(address) for address in trap.dialled}  # their text differs between Pythons
    for address in ("169.254.169.254", "::ffff:a9fe:a9fe", "fd00:ec2::254", "10.0.0.1"):
        assert ip_address(address) in reached_addresses


async def test_beside_a_public_address_a_private_one_is_not_tried(trap: Trap) -> None:
    answers = leads_to("127.0.0.1", "1.1.1.1", "::1", "::ffff:127.0.0.1")
    outcome = await post(PRODUCTION, f"https://mixed.example:{trap.port}/", answers)
    assert (outcome.fault, set(trap.dialled), trap.connections) == ("connect", {"1.1.1.1"}, 0)


async def test_what_is_connected_to_is_the_answer_that_was_vetted(trap: Trap) -> None:
    rebinding = leads_in_turn(("1.1.1.1",), ("127.0.0.1",))
    url = f"https://rebinding.example:{trap.port}/"
    assert (await post(PRODUCTION, url, rebinding)).fault == "connect"
    assert trap.dialled == ["1.1.1.1"], "it was asked for once"
    assert (await post(PRODUCTION, url, rebinding)).fault == "address_refused"
    assert (trap.dialled, trap.connections) == (["1.1.1.1"], 0)


@pytest.mark.parametrize(
    ("status", "leading"),
    [
        *((status, {"Location": "http://127.0.0.1:PORT/"}) for status in (201, 300, 301, 302, 303, 305, 307, 308)),
        (302, {"Location": "http://169.254.169.254/latest/meta-data/"}),
        (302, {"Location": "//127.0.0.1:PORT/"}),
        (200, {"Refresh": "0; url=http://127.0.0.1:PORT/"}),
        (200, {"Content_Location": "http://127.0.0.1:PORT/", "Link": "<http://127.0.0.1:PORT/>; rel=preload"}),
        (401, {"WWW_Authenticate": "Negotiate"}),
        (421, {"Alt_Svc": 'h2="127.0.0.1:PORT"'}),
    ],
)
async def test_no_answer_leads_elsewhere(trap: Trap, status: int, leading: dict[str, str]) -> None:
    headers = {name: value.replace("PORT", str(trap.port)) for name, value in leading.items()}
    async with Receiver(answers(status, b"", **headers), host="127.0.0.2") as target:
        assert (await post(DEVELOPMENT, target.url)).status == status
    assert (trap.dialled, trap.connections) == (["127.0.0.2"], 0)


@pytest.mark.parametrize("address", HOSTILE_ADDRESSES)
def test_no_socket_is_opened_to_a_hostile_address(address: str) -> None:
    assert not PRODUCTION.allowed(address)
    with pytest.raises(AddressRefused, match="is refused"):
        PRODUCTION.open_socket((socket.AF_INET, socket.SOCK_STREAM, 0, "", (address, 443)))


@pytest.mark.parametrize("address", PUBLIC_ADDRESSES)
def test_public_addresses_are_open(address: str) -> None:
    assert PRODUCTION.objection(address) is None


@given(st.ip_addresses())
def test_what_the_standard_library_calls_private_is_never_open(address: object) -> None:
    if not ip_address(str(address)).is_global:
        assert not PRODUCTION.allowed(str(address))


async def test_of_several_addresses_only_the_open_ones_are_tried() -> None:
    policy = Policy(production=False, deny_networks=(ip_network("127.0.0.0/31"), ip_network("::/0")))
    async with Receiver(answers(200), host="127.0.0.2") as target:
        url = f"http://harmless.example:{target.port}/"
        assert (await post(policy, url, leads_to("127.0.0.1", "::1", "127.0.0.2"))).delivered
        assert (await post(policy, url, leads_to("127.0.0.1", "::1"))).fault == "address_refused"


async def test_a_name_that_leads_elsewhere_the_next_time_is_vetted_again() -> None:
    policy = Policy(production=False, deny_networks=(ip_network("127.0.0.1/32"),))
    async with Receiver(answers(200, Connection="close"), host="0.0.0.0") as listener:
        url = f"http://rebinding.example:{listener.port}/"
        assert (await post(policy, url, leads_to("127.0.0.2"))).delivered
        assert (await post(policy, url, leads_to("127.0.0.1"))).fault == "address_refused"
        assert listener.connections == 1


@pytest.mark.parametrize(
    "url",
    [
        "https://example.com/hook",
        "https://example.com:8443/hook?token=a%2Fb",
        "https://bücher.example/hook",
        "https://under_score.example/",
        "https://1.1.1.1/",
        "https://[2606:4700::1111]/",
        "https://1password.example/",
        "HTTPS://EXAMPLE.COM",
    ],
)
def test_honest_urls_pass(url: str) -> None:
    assert PRODUCTION.vet_url(url).scheme == "https"


def test_the_refusal_is_one_that_the_api_can_show() -> None:
    with pytest.raises(UrlRefused) as caught:
        PRODUCTION.vet_url("https://10.0.0.1/")
    assert (caught.value.code, caught.value.param) == ("url_invalid", "url")
    assert caught.value.message == "Invalid URL: 10.0.0.1 is not a public address (private)."


def test_live_mode_wants_https_wherever_it_runs() -> None:
    assert DEVELOPMENT.vet_url("http://example.com/").scheme == "http"
    with pytest.raises(UrlRefused, match="https"):
        DEVELOPMENT.vet_url("http://example.com/", livemode=True)


@pytest.mark.parametrize(
    "url", ["http://localhost:4242/", "http://127.0.0.1:4242/", "http://[::1]:4242/", "http://nas/"]
)
def test_a_developer_may_call_their_own_machine(url: str) -> None:
    assert DEVELOPMENT.vet_url(url).host


@pytest.mark.parametrize("address", ["169.254.169.254", "fd00:ec2::254", "0.0.0.0", "224.0.0.1", "64:ff9b::7f00:1"])
def test_but_not_metadata_nor_what_is_no_machine(address: str) -> None:
    assert DEVELOPMENT.allowed("127.0.0.1")
    assert DEVELOPMENT.allowed("192.168.1.10")
    assert not DEVELOPMENT.allowed(address)


def test_an_operator_may_open_a_network_and_close_a_part_of_it() -> None:
    policy = Policy(
        production=True, allow_networks=(ip_network("10.0.0.0/8"),), deny_networks=(ip_network("10.6.0.0/16"),)
    )
    assert policy.allowed("10.5.0.1")
    assert policy.allowed("::ffff:10.5.0.1")
    assert policy.vet_url("https://10.5.0.1/").host
    assert not policy.allowed("10.6.0.1")
    assert not policy.allowed("192.168.0.1")


@pytest.mark.parametrize(
    "address",
    [
        "169.254.169.254", "169.254.170.2", "168.63.129.16", "100.100.100.200", "192.0.0.192", "fd00:ec2::254",
        "::ffff:169.254.169.254", "64:ff9b::a9fe:a9fe", "64:ff9b:1::a9fe:a9fe", "2002:a9fe:a9fe::1", "::a9fe:a9fe",
        "2606:4700::5efe:a9fe:a9fe", "2001:0:a9fe:a9fe::1", "2001:0:101:101:0:0:5601:5601",
    ],
)  # fmt: skip
def test_no_allowed_network_opens_metadata(address: str) -> None:
    everything = Policy(production=True, allow_networks=(ip_network("0.0.0.0/0"), ip_network("::/0")))
    assert everything.allowed("10.0.0.1")
    assert everything.allowed("::1")
    assert everything.objection(address) == "metadata of a cloud machine"


def test_an_allowed_network_of_nat64_opens_what_would_be_open_without_it() -> None:
    policy = Policy(
        production=True, allow_networks=(ip_network("64:ff9b::/96"),), deny_networks=(ip_network("9.9.9.0/24"),)
    )
    assert policy.allowed("64:ff9b::101:101")
    assert policy.objection("64:ff9b::7f00:1") == "loopback"
    assert policy.objection("64:ff9b::a00:1") == "private"
    assert policy.objection("64:ff9b::909:909") == "denied here"


def test_a_denied_network_is_denied_whatever_carries_its_addresses() -> None:
    policy = Policy(production=True, deny_networks=(ip_network("1.1.1.0/24"),))
    for address in ("1.1.1.1", "::ffff:1.1.1.1", "64:ff9b::101:101", "2002:101:101::1"):
        assert policy.objection(address) == "denied here"


def test_names_of_a_local_network_are_open_where_a_network_is() -> None:
    policy = Policy(production=True, allow_networks=(ip_network("10.0.0.0/8"),))
    for url in ("https://hooks/", "https://hooks.corp.internal/"):
        assert policy.vet_url(url).host
        with pytest.raises(UrlRefused, match="not a public name"):
            PRODUCTION.vet_url(url)
    for url in ("https://localhost/", "https://a.localhost/", "https://metadata.google.internal/"):
        with pytest.raises(UrlRefused, match="not a public name"):
            policy.vet_url(url)


def test_an_operator_may_name_the_only_ports() -> None:
    policy = Policy(production=True, allowed_ports=frozenset({443}))
    assert policy.vet_url("https://example.com/").host
    with pytest.raises(UrlRefused, match="port 8443"):
        policy.vet_url("https://example.com:8443/")
    with pytest.raises(AddressRefused, match="port 8443"):
        policy.open_socket((socket.AF_INET, socket.SOCK_STREAM, 0, "", ("1.1.1.1", 8443)))
