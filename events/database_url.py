"""DATABASE_URL: what a PostgreSQL connection URL names, and the form of it that the driver understands.

URLs are handed out for libpq. The driver sends parameters that it does not know to the server, which refuses them; so
those that only steer libpq are left out here, and those that we could only ignore at a price are refused by name.
"""

import re
from dataclasses import dataclass
from functools import lru_cache
from urllib.parse import parse_qsl, unquote, urlencode, urlsplit

SCHEMES = ("postgresql", "postgres")
PORT = 5432
SSL_MODES = ("disable", "allow", "prefer", "require", "verify-ca", "verify-full")
TARGETS = ("any", "primary", "standby", "prefer-standby", "read-write", "read-only")
# Of libpq's connection parameters (PostgreSQL's documentation, 34.1.2), those that change nothing here: timeouts and
# keepalives are ours (events/database.py), so is the application's name.
LIBPQ_ONLY = frozenset(
    {
        "application_name",
        "channel_binding",
        "client_encoding",
        "connect_timeout",
        "fallback_application_name",
        "gssencmode",
        "keepalives",
        "keepalives_count",
        "keepalives_idle",
        "keepalives_interval",
        "load_balance_hosts",
        "max_protocol_version",
        "min_protocol_version",
        "requiressl",
        "sslcertmode",
        "sslcompression",
        "sslsni",
        "tcp_user_timeout",
    }
)
UNSUPPORTED = frozenset({"hostaddr", "replication", "require_auth", "requirepeer"})


class InvalidDatabaseUrl(ValueError):
    """A URL that can never lead to a database; the message says why and quotes nothing secret."""


@dataclass(frozen=True, slots=True)
class DatabaseUrl:
    """A database as its URL names it; `hosts` is empty where the URL leaves the host to the environment."""

    hosts: tuple[tuple[str, int], ...]
    database: str
    role: str
    for_driver: str
    warnings: tuple[str, ...] = ()

    def __str__(self) -> str:
        """Where it is, for people: host, port, database and role, and never the password."""
        return f"{self.server} (database {_quoted(self.database)}, role {_quoted(self.role)})"

    @property
    def server(self) -> str:
        """The server it is on, or the servers."""
        if not self.hosts:
            return "PostgreSQL on this machine"
        return "PostgreSQL at " + " or ".join(
            f"{host}/.s.PGSQL.{port}" if host.startswith("/") else f"{host} port {port}" for host, port in self.hosts
        )


@lru_cache(maxsize=256)
def parse(url: str) -> DatabaseUrl:
    """Parse a URL. Raises InvalidDatabaseUrl."""
    scheme, separator, _ = url.partition("://")
    if not separator:
        raise InvalidDatabaseUrl("is not a URL like postgresql://role:password@host:5432/database")
    if scheme not in SCHEMES:
        named = f"begins with {scheme}://" if re.fullmatch(r"[a-z][a-z0-9+.-]{0,30}", scheme) else "has another scheme"
        raise InvalidDatabaseUrl(f"{named}, and has to begin with postgresql://")
    try:
        parts = urlsplit(url)
        parameters = dict(parse_qsl(parts.query, keep_blank_values=True, strict_parsing=bool(parts.query)))
    except ValueError:
        raise InvalidDatabaseUrl(
            "cannot be read as a URL: what follows ? has to be name=value, separated by &, and other characters "
            "percent-encoded"
        ) from None
    credentials, _, netloc = parts.netloc.rpartition("@")
    if "@" in credentials or parts.fragment:
        raise InvalidDatabaseUrl("has a character that separates parts: percent-encode @ / ? # and : in the password")
    user, _, _ = credentials.partition(":")
    hosts = _hosts(netloc or parameters.get("host", ""), parameters.get("port", ""))
    unsupported = UNSUPPORTED.intersection(parameters)
    if unsupported:
        raise InvalidDatabaseUrl(f"the parameter {min(unsupported)} is not supported")
    _one_of(parameters, "sslmode", SSL_MODES)
    _one_of(parameters, "target_session_attrs", TARGETS)
    if len(hosts) > 1:
        # Whichever of several servers is the primary now; a standby would take nothing of what we write.
        parameters.setdefault("target_session_attrs", "primary")
    warnings = []
    if parameters.get("channel_binding") == "require" and parameters.get("sslmode") != "verify-full":
        warnings.append(
            "channel_binding=require is not enforced: the driver has no channel binding. sslmode=verify-full makes "
            "sure of the server"
        )
    role = unquote(user) or parameters.get("user", "")
    database = unquote(parts.path.removeprefix("/")) or parameters.get("dbname") or parameters.get("database") or role
    kept = {name: value for name, value in parameters.items() if name not in LIBPQ_ONLY}
    for_driver = f"{scheme}://{parts.netloc}{parts.path}" + (f"?{urlencode(kept)}" if kept else "")
    return DatabaseUrl(hosts, database, role, for_driver, tuple(warnings))


def _hosts(listed: str, ports: str) -> tuple[tuple[str, int], ...]:
    if not listed:
        return ()
    hosts: list[tuple[str, int]] = []
    defaults = [_port(port) for port in ports.split(",")] if ports else [PORT]
    names = listed.split(",")
    if len(defaults) not in (1, len(names)):
        raise InvalidDatabaseUrl(f"names {len(names)} hosts and {len(defaults)} ports")
    for number, name in enumerate(names):
        default = defaults[number % len(defaults)]
        if name.startswith("["):
            host, bracket, port = name[1:].partition("]")
            if not bracket or (port and not port.startswith(":")):
                raise InvalidDatabaseUrl("has an IPv6 address that is not within brackets")
            hosts.append((host, _port(port[1:]) if port else default))
        elif name.startswith("/"):
            hosts.append((name, default))
        else:
            host, colon, port = name.partition(":")
            if not host:
                raise InvalidDatabaseUrl("has no host between two commas")
            hosts.append((unquote(host), _port(port) if colon and port else default))
    return tuple(hosts)


def _port(text: str) -> int:
    if not (text.isascii() and text.isdigit() and 1 <= int(text[:6]) <= 65535):
        raise InvalidDatabaseUrl(
            "has a port that is not a number from 1 to 65535; @ / ? # and : in the password have to be percent-encoded"
        )
    return int(text)


def _one_of(parameters: dict[str, str], name: str, values: tuple[str, ...]) -> None:
    if name in parameters and parameters[name] not in values:
        raise InvalidDatabaseUrl(f"{name} has to be one of {', '.join(values)}")


def _quoted(name: str) -> str:
    return '"{}"'.format(name.encode("unicode_escape").decode()) if name else "of the environment"
