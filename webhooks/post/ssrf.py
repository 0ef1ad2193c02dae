"""SSRF policy: which URLs and IP addresses webhooks may be sent to, so that internal networks stay unreachable.

A URL is checked when it is registered and again at each attempt, parsed by webhooks/post/receiver_url.py both times.
That alone is not enough, since a name may resolve to another address a moment later (DNS rebinding). The effective
check is `open_socket`: it checks the address of every connection right before it is made, from a name or a literal.

`ipaddress.is_global` is not enough. It holds for addresses that carry another one inside (6to4, NAT64, IPv4-compatible
forms), for multicast and for ranges assigned after the interpreter was built; so ranges are named here, from the IANA
special-purpose registries (RFC 6890), and IPv6 outside 2000::/3, the only global unicast there is, is refused whole.
A NAT64 gateway with a prefix of its own (RFC 6052) cannot be known here: name it in `deny_networks`.
"""

import re
import socket
from dataclasses import dataclass
from errno import EACCES
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Any

from events.errors import Refusal
from webhooks.post import receiver_url
from webhooks.post.receiver_url import ReceiverUrl, UrlUnreadable

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network
AddrInfo = tuple[int | socket.AddressFamily, int | socket.SocketKind, int, str, tuple[Any, ...]]


def _networks(named: dict[str, str]) -> tuple[tuple[Network, str], ...]:
    return tuple((ip_network(network), name) for network, name in named.items())


# Metadata services of clouds, which give out credentials; refused even within an allowed network.
METADATA = _networks(
    {
        "100.100.100.200/32": "Alibaba",
        "168.63.129.16/32": "Azure, in the midst of public addresses",
        "169.254.0.0/16": "nearly everybody, at .169.254, .170.2, .170.23 and others",
        "192.0.0.192/32": "Oracle",
        "fd00:42::42/128": "Scaleway",
        "fd00:c1::a9fe:a9fe/128": "Oracle",
        "fd00:ec2::/32": "Amazon, with its other services for machines",
        "fd20:ce::254/128": "Google",
        "fe80::a9fe:a9fe/128": "OpenStack",
    }
)
METADATA_NAMES = frozenset({"instance-data.ec2.internal", "metadata.goog", "metadata.google.internal"})
# The developer's machine and network; refused in production.
LOCAL = _networks(
    {
        "127.0.0.0/8": "loopback",
        "::1/128": "loopback",
        "10.0.0.0/8": "private",
        "172.16.0.0/12": "private",
        "192.168.0.0/16": "private",
        "fc00::/7": "private",
    }
)
SPECIAL = _networks(
    {
        "0.0.0.0/8": "this network",
        "100.64.0.0/10": "shared by carriers",
        "192.0.0.0/24": "protocol assignments",
        "192.0.2.0/24": "documentation",
        "192.88.99.0/24": "6to4 relays",
        "198.18.0.0/15": "benchmarks",
        "198.51.100.0/24": "documentation",
        "203.0.113.0/24": "documentation",
        "224.0.0.0/4": "multicast",
        "240.0.0.0/4": "reserved",
        "::/96": "unspecified or IPv4-compatible",
        "64:ff9b::/96": "NAT64",
        "64:ff9b:1::/48": "NAT64",
        "fe80::/10": "link-local",
        "fec0::/10": "site-local",
        "ff00::/8": "multicast",
        "2001::/23": "protocol assignments, Teredo among them",
        "2001:db8::/32": "documentation",
        "2002::/16": "6to4",
        "3ffe::/16": "returned by the 6bone",
        "3fff::/20": "documentation",
    }
)
GLOBAL_UNICAST = IPv6Network("2000::/3")
IPV4_COMPATIBLE = IPv6Network("::/96")
NAT64 = (IPv6Network("64:ff9b::/96"), IPv6Network("64:ff9b:1::/48"))
ISATAP = frozenset({0x0000_5EFE, 0x0200_5EFE})  # how the last 64 bits begin (RFC 5214, section 6.1)
THIS_NETWORK = IPv4Network("0.0.0.0/8")
OWN_NAMES = frozenset({"localhost", "localdomain"})
LOCAL_NAMES = OWN_NAMES | {"local", "internal", "intranet", "lan", "home", "corp", "private", "test"}
LOCAL_ZONES = ("home.arpa",)  # RFC 8375
# Special-use names (RFC 6761 and its registry at IANA) under which no web server is found, on whatever network.
NOWHERE = {"alt": "not of the DNS", "arpa": "infrastructure", "invalid": "invalid", "onion": "of Tor"}

# Ports of services that a POST must not be smuggled into: "bad ports" of the Fetch Standard, and 0,
BAD_PORTS = frozenset({
    0, 1, 7, 9, 11, 13, 15, 17, 19, 20, 21, 22, 23, 25, 37, 42, 43, 53, 69, 77, 79, 87, 95, 101, 102, 103, 104,
    109, 110, 111, 113, 115, 117, 119, 123, 135, 137, 139, 143, 161, 179, 389, 427, 465, 512, 513, 514, 515,
    526, 530, 531, 532, 540, 548, 554, 556, 563, 587, 601, 636, 989, 990, 993, 995, 1719, 1720, 1723, 2049,
    3659, 4045, 4190, 5060, 5061, 6000, 6566, 6665, 6666, 6667, 6668, 6669, 6679, 6697, 10080,
    # and those of databases, brokers, caches, remote shells and orchestration, none of which receives webhooks.
    177, 445, 593, 873, 1352, 1433, 1434, 1521, 1583, 1883, 2181, 2375, 2376, 2377, 2379, 2380, 2483, 2484,
    3268, 3269, 3306, 3389, 4369, 5432, 5433, 5671, 5672, 5900, 5901, 5984, 5985, 5986, 6379, 6380, 6432, 6443,
    7199, 7474, 7687, 8529, 9042, 9092, 9093, 9142, 9160, 9200, 9300, 9418, 10250, 10255, 10256, 11211, 15672, 16379,
    25672, 26257, 26379, 27017, 27018, 27019, 28015, 33060, 61613, 61616,
})  # fmt: skip

HOST = re.compile(r"(?=.{1,253}\Z)(?!-)[a-z0-9_-]{1,63}(\.(?!-)[a-z0-9_-]{1,63})*", re.ASCII | re.IGNORECASE)
NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*", re.ASCII | re.IGNORECASE)


class UrlRefused(Refusal):
    """A URL that policy forbids."""

    def __init__(self, why: str) -> None:
        super().__init__(f"Invalid URL: {why}.", code="url_invalid", param="url")


class AddressRefused(OSError):
    """A concrete address that must not be called. An OSError, so that a host's other addresses are tried too."""

    def __init__(self, address: str, port: int, why: str) -> None:
        super().__init__(EACCES, f"{address} port {port} is refused: {why}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """What may be called. `deny_networks` precede `allow_networks`, which precede the tables of this module.

    An allowed network opens names of local networks too, for its machines are called by them; but no address that
    carries an IPv4 one which is closed. Outside production http, loopback and private networks are open.
    `allowed_ports` None means any port but the bad ones.
    """

    production: bool
    allow_networks: tuple[Network, ...] = ()
    deny_networks: tuple[Network, ...] = ()
    allowed_ports: frozenset[int] | None = None

    def allowed(self, address: str) -> bool:
        """Whether a concrete address may be called."""
        return self.objection(address) is None

    def objection(self, address: str) -> str | None:
        """Why a concrete address may not be called, or None when it may."""
        try:
            concrete = _unmapped(ip_address(address.partition("%")[0]))
        except ValueError:
            return "not an IP address"
        return self._objection(concrete)

    def port_objection(self, port: int) -> str | None:
        """Why a port may not be called, or None when it may."""
        closed = port in BAD_PORTS if self.allowed_ports is None else port not in self.allowed_ports
        return f"port {port} is not open to webhooks" if closed else None

    def vet_url(self, url: str, *, livemode: bool = False) -> ReceiverUrl:
        """The URL, parsed for whoever will call it; for live mode and in production it must be https.

        Raises:
            UrlRefused: it may not be called, wherever its name leads.
        """
        try:
            parsed = receiver_url.parse(url)
        except UrlUnreadable as error:
            raise UrlRefused(str(error)) from error
        if parsed.scheme == "http" and (livemode or self.production):
            raise UrlRefused("it must begin with https://")
        if why := self.port_objection(parsed.port) or self._host_objection(parsed.host, bracketed=parsed.bracketed):
            raise UrlRefused(why)
        return parsed

    def open_socket(self, found: AddrInfo) -> socket.socket:
        """A socket to connect to that concrete address and no other: a `socket_factory` for aiohttp's connector.

        Raises:
            AddressRefused: that address may not be called.
        """
        family, kind, protocol, _, (address, port, *_) = found
        if why := self.objection(address) or self.port_objection(port):
            raise AddressRefused(address, port, why)
        return socket.socket(family, kind, protocol)

    def _objection(self, address: Address) -> str | None:
        carried = _carried(address)
        if any(_among(each, self.deny_networks) for each in (address, *carried)):
            return "denied here"
        if any(each in network for network, _ in METADATA for each in (address, *carried)):
            return "metadata of a cloud machine"
        if _among(address, self.allow_networks):
            return next(filter(None, map(self._objection, carried)), None)
        return _special(address, production=self.production)

    def _host_objection(self, host: str, *, bracketed: bool) -> str | None:
        if bracketed or is_address(host):
            if "%" in host:
                return "an address with a zone means something else on each machine"
            try:
                ip_address(host)  # canonical only: 0x7f.1, 0177.0.0.1 and 2130706433 are read differently elsewhere
            except ValueError:
                return f"{host} is not a canonical IP address"
            why = self.objection(host)
            return why and f"{host} is not a public address ({why})"
        if not HOST.fullmatch(host):
            return "its host is not a name"
        name = host.lower()
        if name in METADATA_NAMES:
            return f"{host} is not a public name (metadata of a cloud machine)"
        if _within(name, LOCAL_ZONES):
            return f"{host} is not a public name" if self.production and not self.allow_networks else None
        last = name.rpartition(".")[2]
        if last in NOWHERE:
            return f"{host} is not a public name (.{last} is {NOWHERE[last]}; RFC 6761)"
        closed = OWN_NAMES if self.allow_networks else LOCAL_NAMES
        if self.production and (last in closed or ("." not in name and not self.allow_networks)):
            return f"{host} is not a public name"
        return None


def _within(name: str, zones: tuple[str, ...]) -> bool:
    return any(name == zone or name.endswith(f".{zone}") for zone in zones)


def _unmapped(address: Address) -> Address:
    """The IPv4 address inside an IPv4-mapped one (::ffff:a.b.c.d), which the kernel connects to just like it."""
    return (isinstance(address, IPv6Address) and address.ipv4_mapped) or address


def _among(address: Address, networks: tuple[Network, ...]) -> bool:
    return any(address in network for network in networks)


def _carried(address: Address) -> tuple[IPv4Address, ...]:
    """The IPv4 addresses that an IPv6 one leads to where somebody unpacks it; of NAT64, as the last four bytes."""
    if isinstance(address, IPv4Address):
        return ()
    last = IPv4Address(int(address) & 0xFFFF_FFFF)
    if address in IPV4_COMPATIBLE:
        return () if last in THIS_NETWORK else (last,)  # :: and ::1 are themselves
    if _among(address, NAT64) or _is_isatap(address):
        return (last,)
    return address.teredo or ((address.sixtofour,) if address.sixtofour else ())


def _is_isatap(address: Address) -> bool:
    return int(address) >> 32 & 0xFFFF_FFFF in ISATAP


def _special(address: Address, *, production: bool) -> str | None:
    for network, name in LOCAL:
        if address in network:
            return name if production else None
    for network, name in SPECIAL:
        if address in network:
            return name
    if isinstance(address, IPv6Address):
        if address not in GLOBAL_UNICAST:
            return "not global unicast"
        if _is_isatap(address):
            return "ISATAP"
    return None


def is_address(host: str) -> bool:
    """Whether a host is no name; one that ends in a number is read as an IPv4 address (URL Standard, "host parser")."""
    return ":" in host or NUMBER.fullmatch(host.rstrip(".").rpartition(".")[2]) is not None
