"""Settings: environment variables with units and defaults, read once, in wiring.

With nothing set the service runs: an embedded PostgreSQL, webhooks fed straight from the log, a master key made on the
first run, a well-known test key. Each of these conveniences is refused when ROLLBOOK_ENV=production.
"""

import difflib
import os
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Literal

from pydantic import AliasChoices, Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from events import database_url
from events.countries import COUNTRIES
from events.errors import Refusal
from events.keys import MasterKeys
from service import api_versions
from webhooks.broker import broker_url
from webhooks.post import proxy

Network = IPv4Network | IPv6Network
OTHER_VARIABLES = frozenset({"ROLLBOOK_API_KEY", "ROLLBOOK_URL"})  # of the commands that call the API


class Misconfigured(Exception):
    """Settings the service refuses to start with; one line for each fault."""


class Settings(BaseSettings):
    """The settings of a process. Names in the environment are in capitals, with ROLLBOOK_ in
    front unless the field has an alias.
    """

    model_config = SettingsConfigDict(
        env_prefix="ROLLBOOK_", env_ignore_empty=True, extra="ignore", populate_by_name=True
    )

    env: Literal["development", "production"] = Field(
        "development", description="production refuses unsafe settings at startup"
    )
    database_url: SecretStr | None = Field(
        None,
        validation_alias=AliasChoices("DATABASE_URL", "database_url"),
        description="PostgreSQL 15 to 18; unset: an embedded one in the data directory (development only)",
    )
    amqp_url: SecretStr | None = Field(
        None,
        validation_alias=AliasChoices("AMQP_URL", "amqp_url"),
        description="RabbitMQ 3.10 or later; unset: no broker, webhooks are fanned out directly from the log",
    )
    master_key: SecretStr | None = Field(
        None,
        description="32 bytes in base64, several separated by commas, the newest first; "
        "without it, and without a file or a command that gives it, a key is generated on the first run and stored "
        "in the data directory (development only)",
    )
    master_key_file: Path | None = Field(None, description="file with the master key, read at startup")
    master_key_command: SecretStr | None = Field(
        None,
        description="command line for /bin/sh that prints the master key, such as a call to a KMS; executed at "
        "startup, with a timeout of 30 s",
    )
    data_dir: Path = Field(
        Path(".rollbook"), description="directory of the embedded database and the generated master key (development)"
    )

    checkpoint_key: Path | None = Field(
        None,
        description="file of the keys that sign checkpoints of the log, made by `rollbook checkpoint-key new`; unset: "
        "made on the first run in the data directory, and in production no checkpoint is signed",
    )
    log_name: str | None = Field(
        None,
        description="name of the log in its checkpoints, such as rollbook.example.com/log; unset: that of the keys",
    )
    checkpoint_every_s: float = Field(
        2.0, ge=0.1, le=3600, description="shortest time between two checkpoints; none is signed without a new event"
    )
    checkpoint_dir: Path | None = Field(
        None,
        description="directory to which the newest checkpoint is written too; nothing is signed that is not consistent "
        "with the one found there",
    )
    tiles_open: bool = Field(
        True,
        description="/checkpoint and what is below /tile/ are open to all who reach the API; they show hashes only",
    )

    host: str = Field("127.0.0.1", description="address the API listens on")
    port: int = Field(8420, ge=0, le=65535, description="port the API listens on; 0 chooses a free port")
    operations_port: int | None = Field(
        None,
        ge=0,
        le=65535,
        description="separate port for /healthz, /readyz and /metrics, in every role; "
        "unset: they are served on the port of the API, and not at all by a process without the API",
    )
    api_version: str = Field("2026-10-28.endive", description="default API version of responses and events")
    tax_countries: str | None = Field(
        None,
        description="countries in which tax is collected, two-letter codes separated by commas; unset: none, "
        "so automatic_tax of every customer is not_collecting",
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="minimum level of log lines")

    body_bytes_max: int = Field(
        3 * 512 * 1024, gt=0, description="maximum size of a request body; the longest permitted values need 1.2 MB"
    )
    page_bytes_max: int = Field(
        4 * 1024 * 1024,
        gt=0,
        description="maximum size of a page (list, search, feed); a larger page ends early with has_more, but has at "
        "least one object; also the limit of expanded objects in one request",
    )
    request_timeout_s: float = Field(
        30.0,
        gt=0,
        description="timeout of a request, from its headers to its response: 503, or 408 if the body did not arrive; "
        "long polling of the feed is not counted",
    )
    header_timeout_s: float = Field(15.0, gt=0, description="timeout for the headers of a request")
    write_timeout_s: float = Field(
        30.0, gt=0, description="timeout for a client to read one response, after which the connection is closed"
    )
    keepalive_s: float = Field(75.0, gt=0, description="time after which an idle connection is closed")
    connections_max: int = Field(
        8192,
        gt=0,
        description="maximum number of connections of one process, further limited by its file descriptors "
        "(ulimit -n, less 64, and less ROLLBOOK_WEBHOOK_IN_FLIGHT_MAX, though half at most, where it sends webhooks "
        "too); beyond it the one that is idle for longest is closed, and where none is idle, the new one is answered "
        "503 and closed",
    )
    in_flight_max: int = Field(
        1024,
        gt=0,
        description="maximum number of requests in flight in one process; others are answered 503; as many more may be "
        "sending their bodies, and beyond that the one that has taken longest is answered 408",
    )
    account_in_flight_max: int = Field(
        512, gt=0, description="requests in flight of one account in one process; others are answered 429"
    )
    key_in_flight_max: int = Field(
        256, gt=0, description="requests in flight of one API key in one process; others are answered 429"
    )
    live_rate_max: int = Field(
        10_000, ge=0, description="requests a second of one live mode API key in one process; 0: no limit"
    )
    test_rate_max: int = Field(
        10_000, ge=0, description="requests a second of one test mode API key in one process; 0: no limit"
    )
    search_rate_max: int = Field(
        1_000, ge=0, description="searches a second of one API key in one process; 0: no limit"
    )
    bytes_in_flight_max: int = Field(
        24 * 1024 * 1024,
        gt=0,
        description="memory for large request and response bodies in one process; beyond it 503",
    )
    account_bytes_in_flight_max: int = Field(
        16 * 1024 * 1024,
        gt=0,
        description="memory for large request and response bodies of one account; beyond it 429",
    )
    key_bytes_in_flight_max: int = Field(
        16 * 1024 * 1024, gt=0, description="memory for large request and response bodies of one API key; beyond it 429"
    )
    append_wait_max_s: float = Field(
        5.0,
        gt=0,
        description="maximum expected wait of a write for Postgres; while it is longer, writes are answered 503",
    )
    feed_waiting_max: int = Field(
        1000, gt=0, description="maximum number of requests that wait for the feed in one process"
    )
    feed_account_waiting_max: int = Field(250, gt=0, description="requests of one account that wait for the feed")
    feed_key_waiting_max: int = Field(100, gt=0, description="requests of one API key that wait for the feed")
    key_cache_s: float = Field(
        5.0,
        ge=0,
        description="time for which an API key is cached; a key revoked by another process is accepted this long",
    )
    pool_size_max: int = Field(8, gt=0, description="size of the Postgres connection pool (pages, loads, followers)")
    append_batch_max: int = Field(128, gt=0, description="maximum number of appends in one transaction (group commit)")

    exchange: str = Field("rollbook.events", description="topic exchange on RabbitMQ to which events are published")
    fanout_queue: str = Field("webhooks.fanout", description="queue on RabbitMQ from which webhooks are fanned out")
    relay_lease_s: float = Field(
        10.0, ge=2, description="lease of the active relay; another takes over after this time"
    )
    reconcile_after_s: float = Field(
        5.0,
        ge=0,
        description="time after which the reconciler fans out an event that did not arrive through the broker",
    )
    webhook_connect_timeout_s: float = Field(5.0, gt=0, description="timeout for the connection to a receiver")
    webhook_timeout_s: float = Field(15.0, gt=0, description="timeout of a whole attempt")
    webhook_lease_s: float = Field(
        60.0, gt=0, description="lease of a worker on an endpoint; another worker takes over after this time"
    )
    webhook_allow_networks: str | None = Field(
        None,
        description="private networks to which webhooks may be sent, such as 10.1.0.0/16, separated by commas; anyone "
        "who can register an endpoint can then send POST requests there and read the first 4 KiB of each response, "
        "so do not allow networks that trust their callers; cloud metadata addresses stay blocked",
    )
    webhook_deny_networks: str | None = Field(
        None, description="networks to which webhooks are never sent, separated by commas; takes precedence"
    )
    webhook_allowed_ports: str | None = Field(
        None,
        description="ports to which webhooks may be sent, separated by commas; unset: all except well-known ports of "
        "other services, such as 22, 5432 and 6379",
    )
    webhook_proxy_url: SecretStr | None = Field(
        None,
        description="egress proxy for webhooks, http://user:password@host:port or https://…; host names are resolved "
        "and checked by Rollbook, and the proxy receives addresses",
    )
    webhook_proxy_resolves: bool = Field(
        False, description="the proxy receives host names and blocks private addresses itself, as Smokescreen does"
    )
    webhook_ca_file: Path | None = Field(
        None, description="PEM file of the certificate authorities for receivers; unset: those of the system"
    )
    webhook_client_cert_file: Path | None = Field(
        None, description="PEM file of the client certificate for receivers that request one (mutual TLS)"
    )
    webhook_client_key_file: Path | None = Field(
        None, description="PEM file of the private key; unset: it is in the file of the client certificate"
    )
    webhook_in_flight_max: int = Field(512, gt=0, description="maximum number of attempts in flight in one worker")
    webhook_host_in_flight_max: int = Field(128, gt=0, description="attempts in flight to one host in one worker")
    job_lease_s: float = Field(
        60.0, ge=1, description="lease of a worker on scheduled work; another worker takes over after this time"
    )
    erase_deleted_after_days: int | None = Field(
        None,
        ge=1,
        le=36_500,
        description="days after its deletion when a worker erases a customer, which cannot be undone; unset: never",
    )
    look_every_s: float = Field(
        15.0, gt=0, description="interval at which a worker measures backlog and lag for /metrics"
    )
    drain_s: float = Field(
        8.0,
        ge=0,
        description="time for which a stopping process finishes requests and attempts; Docker kills it after 10 s",
    )

    @field_validator("database_url")
    @classmethod
    def _leads_to_postgres(cls, given: SecretStr | None) -> SecretStr | None:
        if given is not None:
            database_url.parse(given.get_secret_value())
        return given

    @field_validator("amqp_url")
    @classmethod
    def _leads_to_rabbitmq(cls, given: SecretStr | None) -> SecretStr | None:
        if given is not None:
            broker_url.parse(given.get_secret_value())
        return given

    @field_validator("master_key")
    @classmethod
    def _unseals(cls, given: SecretStr | None) -> SecretStr | None:
        if given is not None:
            MasterKeys.parse(given.get_secret_value())
        return given

    @field_validator("api_version")
    @classmethod
    def _is_served(cls, given: str) -> str:
        try:
            return api_versions.choose(given, given)
        except Refusal as refusal:
            raise ValueError(refusal.message) from None

    @field_validator("tax_countries")
    @classmethod
    def _are_countries(cls, given: str | None) -> str | None:
        unknown = sorted(_letters(given) - COUNTRIES)
        if unknown:
            raise ValueError(f"no country has these two letters of ISO 3166-1: {', '.join(unknown)}")
        return given

    @field_validator("webhook_allow_networks", "webhook_deny_networks")
    @classmethod
    def _are_networks(cls, given: str | None) -> str | None:
        _networks(given)
        return given

    @field_validator("webhook_allowed_ports")
    @classmethod
    def _are_ports(cls, given: str | None) -> str | None:
        _ports(given)
        return given

    @field_validator("webhook_proxy_url")
    @classmethod
    def _is_a_proxy(cls, given: SecretStr | None) -> SecretStr | None:
        if given is not None:
            proxy.parse(given.get_secret_value())
        return given

    @property
    def production(self) -> bool:
        """Whether unsafe conveniences are refused."""
        return self.env == "production"

    @property
    def exposed(self) -> bool:
        """Whether development listens on an address that others may reach."""
        return not self.production and self.host not in ("localhost", "::1") and not self.host.startswith("127.")

    @property
    def collecting(self) -> frozenset[str]:
        """The countries that tax is collected in."""
        return _letters(self.tax_countries)

    @property
    def allow_networks(self) -> tuple[Network, ...]:
        """The networks that webhooks may go to, public or not."""
        return _networks(self.webhook_allow_networks)

    @property
    def deny_networks(self) -> tuple[Network, ...]:
        """The networks that webhooks may not go to, allowed or not."""
        return _networks(self.webhook_deny_networks)

    @property
    def allowed_ports(self) -> frozenset[int] | None:
        """The ports that webhooks may go to; None for all but the bad ones."""
        return _ports(self.webhook_allowed_ports)


def _parts(listed: str | None) -> list[str]:
    return [part.strip() for part in (listed or "").split(",") if part.strip()]


def _letters(countries: str | None) -> frozenset[str]:
    return frozenset(country.upper() for country in _parts(countries))


def _networks(listed: str | None) -> tuple[Network, ...]:
    return tuple(_network(part) for part in _parts(listed))


def _network(part: str) -> Network:
    try:
        network = ip_network(part.replace("%", " "))  # a zone means something else on each machine
    except ValueError:
        try:
            meant = ip_network(part, strict=False)
        except ValueError:
            raise ValueError(f"{part} is no network like 10.1.0.0/16 or 2001:db8::/32") from None
        raise ValueError(f"{part} begins in the midst of a network: say {meant}") from None
    if isinstance(network, IPv6Network) and network.network_address.ipv4_mapped and network.prefixlen >= 96:
        mapped = IPv4Network((network.network_address.ipv4_mapped, network.prefixlen - 96))
        raise ValueError(f"{part} is a network of IPv4: say {mapped}")
    return network


def _ports(listed: str | None) -> frozenset[int] | None:
    ports = _parts(listed)
    for port in ports:
        if not (port.isascii() and port.isdigit() and 1 <= int(port[:6]) <= 65535):
            raise ValueError(f"{port} is no port from 1 to 65535")
    return frozenset(map(int, ports)) or None


def read() -> Settings:
    """The settings of this process. Raises Misconfigured with a line for every fault."""
    try:
        settings = Settings()
    except ValidationError as error:
        lines = [
            f"{_variable(str(fault['loc'][0]))}: {fault['msg'].removeprefix('Value error, ')}"
            for fault in error.errors()
        ]
        raise Misconfigured("\n".join(lines)) from None
    faults = _contradictions(settings) + (_unsafe(settings) if settings.production else [])
    if faults:
        raise Misconfigured("\n".join(faults))
    return settings


def _unsafe(settings: Settings) -> list[str]:
    faults = []
    if settings.database_url is None:
        faults.append("DATABASE_URL: production needs a PostgreSQL of its own; the embedded one is for development")
    if not _master_key_settings(settings):
        faults.append(
            "ROLLBOOK_MASTER_KEY: production needs a master key from outside (openssl rand -base64 32), or "
            "ROLLBOOK_MASTER_KEY_FILE or ROLLBOOK_MASTER_KEY_COMMAND"
        )
    if any(network.prefixlen == 0 for network in settings.allow_networks):
        faults.append("ROLLBOOK_WEBHOOK_ALLOW_NETWORKS: production does not open all there is")
    return faults


def _master_key_settings(settings: Settings) -> list[str]:
    """The variables that give a master key; one of them is to be set."""
    names = ("master_key", "master_key_file", "master_key_command")
    return [_variable(name) for name in names if getattr(settings, name) is not None]


def _contradictions(settings: Settings) -> list[str]:
    faults = []
    if os.environ.get("ROLLBOOK_ENV") == "":
        faults.append("ROLLBOOK_ENV: is set and empty; leave it unset for development, or set production")
    given = _master_key_settings(settings)
    if len(given) > 1:
        faults.append(f"{given[1]}: is set together with {given[0]}; set one of them")
    if settings.operations_port is not None and settings.operations_port == settings.port != 0:
        faults.append("ROLLBOOK_OPERATIONS_PORT: is the same as ROLLBOOK_PORT")
    if settings.webhook_client_key_file is not None and settings.webhook_client_cert_file is None:
        faults.append("ROLLBOOK_WEBHOOK_CLIENT_KEY_FILE: set without ROLLBOOK_WEBHOOK_CLIENT_CERT_FILE")
    if settings.webhook_proxy_resolves and settings.webhook_proxy_url is None:
        faults.append("ROLLBOOK_WEBHOOK_PROXY_RESOLVES: set without ROLLBOOK_WEBHOOK_PROXY_URL")
    return faults


def effective() -> list[tuple[str, str | None, str]]:
    """Variable, value as in force with secrets hidden (None: unset), and description of every setting."""
    settings = read()
    rows = []
    for name, field in Settings.model_fields.items():
        value = getattr(settings, name)
        shown = None if value is None else "********" if isinstance(value, SecretStr) else str(value)
        rows.append((_variable(name), shown, field.description or ""))
    return rows


def unknown_variables() -> list[str]:
    """A line for each environment variable that begins like a setting and is none, with the setting that is meant."""
    known = {_variable(name) for name in Settings.model_fields}
    lines = []
    for name in sorted(os.environ):
        if name.startswith("ROLLBOOK_") and name not in known and name not in OTHER_VARIABLES:
            close = difflib.get_close_matches(name, known, n=1)
            lines.append(f"{name}: there is no such setting" + (f"; is it {close[0]}?" if close else ""))
    return lines


def _variable(name: str) -> str:
    return name.upper() if name.lower() in ("database_url", "amqp_url") else f"ROLLBOOK_{name.upper()}"
