"""What may be called: tables of hostile URLs and addresses, and a listener that none of them reaches."""

import socket
from ipaddress import ip_address, ip_network

import pytest
from aiohttp import DefaultResolver
from aiohttp.abc import ResolveResult
from hypothesis import given
from hypothesis import strategies as st

from tests.webhooks.receiver import Receiver, answers
from webhooks import signature
from webhooks.delivery import Outcome
from webhooks.guard import AddressRefused, Policy, UrlRefused
from webhooks.sender import Sender

PRODUCTION = Policy(production=True)
DEVELOPMENT = Policy(production=False)
SECRET = signature.new_secret(bytes(range(32)))

HOSTILE_URLS = [  # PORT is where a listener waits
    # another scheme, or none
    "http://example.com/",
    "ftp://127.0.0.1:PORT/",
    "file:///etc/passwd",
    "gopher://127.0.0.1:PORT/_POST",
    "javascript:alert(1)",
    "//127.0.0.1:PORT/",
    "127.0.0.1:PORT",
    "https:127.0.0.1:PORT",
    "https:///127.0.0.1:PORT",
    "https://",
    "",
    # loopback, however it is written
    "https://127.0.0.1:PORT/",
    "https://127.1.2.3:PORT/",
    "https://127.1:PORT/",
    "https://0x7f.1:PORT/",
    "https://0x7f000001:PORT/",
    "https://0x7f.0x0.0x0.0x1:PORT/",
    "https://0177.0.0.1:PORT/",
    "https://00000177.0.0.1:PORT/",
    "https://2130706433:PORT/",
    "https://017700000001:PORT/",
    "https://127.0.0.1.:PORT/",
    "https://127.000.000.001:PORT/",
    "https://127.0.0.0x1:PORT/",
    "https://１２７.０.０.１:PORT/",
    "https://①②⑦.⓪.⓪.①:PORT/",
    "https://127。0。0。1:PORT/",
    "https://%31%32%37.0.0.1:PORT/",
    "https://127.0.0.1%00.example.com:PORT/",
    "https://localhost:PORT/",
    "https://LOCALHOST:PORT/",
    "https://localhost.:PORT/",
    "https://api.localhost:PORT/",
    "https://loc%61lhost:PORT/",
    "https://0:PORT/",
    "https://0.0.0.0:PORT/",
    "https://[::1]:PORT/",
    "https://[::]:PORT/",
    "https://[0:0:0:0:0:0:0:1]:PORT/",
    "https://[::127.0.0.1]:PORT/",
    "https://[::7f00:1]:PORT/",
    "https://[::ffff:127.0.0.1]:PORT/",
    "https://[::ffff:7f00:1]:PORT/",
    "https://[0:0:0:0:0:ffff:127.0.0.1]:PORT/",
    "https://[::ffff:0:127.0.0.1]:PORT/",
    # metadata, and what is behind the firewall
    "https://169.254.169.254/latest/meta-data/",
    "https://[::ffff:169.254.169.254]/",
    "https://[::ffff:a9fe:a9fe]/",
    "https://0xa9fea9fe/",
    "https://2852039166/",
    "https://168.63.129.16/",
    "https://100.100.100.200/",
    "https://192.0.0.192/",
    "https://[fd00:ec2::254]/",
    "https://metadata/",
    "https://metadata.google.internal/",
    "https://10.0.0.1/",
    "https://172.16.0.1/",
    "https://192.168.1.1/",
    "https://100.64.0.1/",
    "https://intranet/",
    "https://printer.local/",
    "https://[fe80::1%25eth0]/",
    "https://[fec0::1]/",
    "https://[fd12:3456::1]/",
    # another address inside
    "https://[64:ff9b::127.0.0.1]:PORT/",
    "https://[64:ff9b::a9fe:a9fe]/",
    "https://[64:ff9b:1::7f00:1]:PORT/",
    "https://[2002:7f00:1::]:PORT/",
    "https://[2002:a9fe:a9fe::1]/",
    "https://[2001:0:7f00:1::1]/",
    # somebody else's name in front
    "https://example.com@127.0.0.1:PORT/",
    "https://user:password@example.com/",
    "https://@127.0.0.1:PORT/",
    "https://:@example.com/",
    "https://127.0.0.1:PORT\\@example.com/",
    "https://example.com\\@127.0.0.1:PORT/",
    "https://127.0.0.1:PORT\t@example.com/",
    # letters that parsers disagree on
    "https://127.0.0.1\n:PORT/",
    " https://127.0.0.1:PORT/",
    "https://exa mple.com/",
    "https://127.0.0.1:PORT/\r\nHost: example.com",
    "https://[127.0.0.1]:PORT/",
    "https://[v1.x]/",
    "https://[::1/",
    "https://a..b/",
    "https://-a.example/",
    "https://" + "a" * 64 + ".example/",
    # odd ports
    "https://example.com:0/",
    "https://example.com:22/",
    "https://example.com:25/",
    "https://example.com:6667/",
    "https://example.com:65536/",
    "https://example.com:-1/",
]

HOSTILE_ADDRESSES = [
    "0.0.0.0", "0.1.2.3", "10.0.0.1", "100.64.0.1", "100.100.100.200", "100.127.255.255", "127.0.0.1",
    "127.255.255.255", "168.63.129.16", "169.254.0.1", "169.254.169.254", "169.254.170.2", "172.16.0.1",
    "172.31.255.255", "192.0.0.1", "192.0.0.8", "192.0.0.192", "192.0.2.1", "192.88.99.1", "192.168.0.1",
    "198.18.0.1", "198.19.255.255", "198.51.100.1", "203.0.113.1", "224.0.0.1", "239.255.255.255", "240.0.0.1",
    "255.255.255.255", "::", "::1", "::2", "::7f00:1", "::127.0.0.1", "::ffff:127.0.0.1", "::ffff:10.0.0.1",
    "::ffff:169.254.169.254", "::ffff:0:127.0.0.1", "64:ff9b::7f00:1", "64:ff9b::808:808", "64:ff9b:1::1",
    "64:ff9b:1:ffff::7f00:1", "100::1", "100:0:0:1::1", "2001::1", "2001:0:7f00:1::1", "2001:2::1", "2001:10::1",
    "2001:20::1", "2001:db8::1", "2002:7f00:1::1", "2002:808:808::1", "3ffe::1", "3fff::1", "3fff:fff::1",
    "4000::1", "5f00::1", "fc00::1", "fd00:ec2::254", "fd20:ce::254", "fe80::1", "fe80::1%eth0", "febf::1",
    "fec0::1", "feff::1", "ff02::1", "ff0e::1", "1::", "not-an-address", "127.1",
]  # fmt: skip

PUBLIC_ADDRESSES = [
    "1.1.1.1", "8.8.8.8", "9.255.255.255", "11.0.0.0", "100.63.255.255", "100.128.0.0", "126.255.255.255",
    "128.0.0.0", "169.253.255.255", "172.15.255.255", "172.32.0.0", "192.0.1.0", "192.167.255.255", "192.169.0.0",
    "198.17.255.255", "198.20.0.0", "223.255.255.255", "::ffff:8.8.8.8", "2000::1", "2001:200::1",
    "2001:4860:4860::8888", "2003::1", "2606:4700::1111", "2a00:1450::1",
]  # fmt: skip


async def post(policy: Policy, url: str) -> Outcome:
    async with Sender(policy) as sender:
        return await sender.post(url, b"{}", [SECRET], id="evt_1", timestamp=1_700_000_000)


def test_the_tables_are_as_long_as_they_should_be() -> None:
    assert len(set(HOSTILE_URLS)) == len(HOSTILE_URLS) >= 60
    assert len(set(HOSTILE_ADDRESSES)) == len(HOSTILE_ADDRESSES) >= 60


@pytest.mark.parametrize("url", HOSTILE_URLS)
async def test_no_hostile_url_reaches_a_listener(url: str) -> None:
    async with Receiver(answers(200), host="0.0.0.0") as listener:
        outcome = await post(PRODUCTION, url.replace("PORT", str(listener.port)))
        assert listener.connections == 0
    assert outcome.fault == "address_refused"


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


def resolves_to(monkeypatch: pytest.MonkeyPatch, *addresses: str) -> None:
    async def resolve(_: object, host: str, port: int = 0, family: int = 0) -> list[ResolveResult]:
        return [
            ResolveResult(
                hostname=host,
                host=address,
                port=port,
                family=socket.AF_INET6 if ":" in address else socket.AF_INET,
                proto=0,
                flags=0,
            )
            for address in addresses
        ]

    monkeypatch.setattr(DefaultResolver, "resolve", resolve)


@pytest.mark.parametrize("address", ["127.0.0.1", "::ffff:127.0.0.1", "0.0.0.0", "::1", "169.254.169.254"])
async def test_a_name_that_leads_to_a_hostile_address_is_refused(monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    async with Receiver(answers(200), host="0.0.0.0") as listener:
        resolves_to(monkeypatch, address)
        outcome = await post(PRODUCTION, f"https://harmless.example:{listener.port}/")
        assert listener.connections == 0
    assert outcome.fault == "address_refused"


async def test_of_several_addresses_only_the_open_ones_are_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    policy = Policy(production=False, deny_networks=(ip_network("127.0.0.0/31"), ip_network("::/0")))
    async with Receiver(answers(200), host="127.0.0.2") as target:
        resolves_to(monkeypatch, "127.0.0.1", "::1", "127.0.0.2")
        assert (await post(policy, f"http://harmless.example:{target.port}/")).delivered
        resolves_to(monkeypatch, "127.0.0.1", "::1")
        assert (await post(policy, f"http://harmless.example:{target.port}/")).fault == "address_refused"


async def test_a_name_that_leads_elsewhere_the_next_time_is_vetted_again(monkeypatch: pytest.MonkeyPatch) -> None:
    policy = Policy(production=False, deny_networks=(ip_network("127.0.0.1/32"),))
    async with Receiver(answers(200, Connection="close"), host="0.0.0.0") as listener:
        url = f"http://rebinding.example:{listener.port}/"
        resolves_to(monkeypatch, "127.0.0.2")
        assert (await post(policy, url)).delivered
        resolves_to(monkeypatch, "127.0.0.1")
        assert (await post(policy, url)).fault == "address_refused"
        assert listener.connections == 1


async def test_a_redirect_leads_nowhere() -> None:
    policy = Policy(production=False, deny_networks=(ip_network("127.0.0.1/32"),))
    async with Receiver(answers(200)) as inside, Receiver(answers(307, Location=inside.url), host="127.0.0.2") as door:
        outcome = await post(policy, door.url)
        assert (outcome.status, outcome.delivered) == (307, False)
        assert inside.connections == 0


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
    assert DEVELOPMENT.vet_url(url)


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
    assert policy.vet_url("https://10.5.0.1/")
    assert not policy.allowed("10.6.0.1")
    assert not policy.allowed("192.168.0.1")


def test_no_allowed_network_opens_metadata() -> None:
    assert not Policy(production=True, allow_networks=(ip_network("0.0.0.0/0"),)).allowed("169.254.169.254")


def test_an_operator_may_name_the_only_ports() -> None:
    policy = Policy(production=True, allowed_ports=frozenset({443}))
    assert policy.vet_url("https://example.com/")
    with pytest.raises(UrlRefused, match="port 8443"):
        policy.vet_url("https://example.com:8443/")
    with pytest.raises(AddressRefused, match="port 8443"):
        policy.open_socket((socket.AF_INET, socket.SOCK_STREAM, 0, "", ("1.1.1.1", 8443)))
