"""Settings: what is refused, in one line for each fault, and what is shown of those in force."""

import base64

import pytest

from service import settings
from service.settings import Misconfigured
from tests.service import settings_page

MASTER_KEY = base64.b64encode(bytes(32)).decode()
SAFE = {"ROLLBOOK_ENV": "production", "DATABASE_URL": "postgresql://db/rollbook", "ROLLBOOK_MASTER_KEY": MASTER_KEY}


@pytest.fixture
def environ(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """An environment without a single setting."""
    for name in settings.Settings.model_fields:
        for variable in (name.upper(), f"ROLLBOOK_{name.upper()}"):
            monkeypatch.delenv(variable, raising=False)
    return monkeypatch


def faults_of(environ: pytest.MonkeyPatch, **given: str) -> list[str]:
    for name, value in given.items():
        environ.setenv(name, value)
    with pytest.raises(Misconfigured) as refused:
        settings.read()
    return str(refused.value).splitlines()


@pytest.mark.usefixtures("environ")
def test_with_nothing_set_everything_has_a_default() -> None:
    read = settings.read()
    assert (read.production, read.host, read.port, read.database_url, read.amqp_url) == (
        False, "127.0.0.1", 8420, None, None,
    )  # fmt: skip


@pytest.mark.parametrize(("given", "countries"), [("de, FR,", {"DE", "FR"}), ("", set()), (" ", set())])
def test_countries_that_tax_is_collected_in_are_named_by_two_letters(
    environ: pytest.MonkeyPatch, given: str, countries: set[str]
) -> None:
    environ.setenv("ROLLBOOK_TAX_COUNTRIES", given)
    assert settings.read().collecting == countries


def test_production_refuses_each_convenience_of_development_in_a_line_of_its_own(environ: pytest.MonkeyPatch) -> None:
    lines = faults_of(environ, ROLLBOOK_ENV="production")
    assert [line.partition(":")[0] for line in lines] == ["DATABASE_URL", "ROLLBOOK_MASTER_KEY"]
    assert [line.partition(":")[0] for line in faults_of(environ, DATABASE_URL="postgresql://db/x")] == [
        "ROLLBOOK_MASTER_KEY"
    ]
    environ.setenv("ROLLBOOK_MASTER_KEY", MASTER_KEY)
    assert settings.read().production


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("ROLLBOOK_ENV", "staging"),
        ("AMQP_URL", "foo"),
        ("AMQP_URL", "amqp://me:hush@a:5672,b:5672/"),
        ("ROLLBOOK_PORT", "http"),
        ("ROLLBOOK_PORT", "65536"),
        ("ROLLBOOK_BODY_BYTES_MAX", "0"),
        ("ROLLBOOK_KEY_CACHE_S", "-1"),
        ("ROLLBOOK_LOG_LEVEL", "loud"),
        ("ROLLBOOK_API_VERSION", "latest"),
        ("ROLLBOOK_TAX_COUNTRIES", "DE,Germany"),
        ("ROLLBOOK_MASTER_KEY", "not base64"),
        ("ROLLBOOK_MASTER_KEY", base64.b64encode(bytes(31)).decode()),
        ("ROLLBOOK_MASTER_KEY", f"{MASTER_KEY},short"),
        ("ROLLBOOK_WEBHOOK_ALLOW_NETWORKS", "10.0.0.0/33"),
        ("ROLLBOOK_WEBHOOK_ALLOW_NETWORKS", "10.0.0.0/8;10.1.0.0/16"),
        ("ROLLBOOK_WEBHOOK_DENY_NETWORKS", "example.com"),
        ("ROLLBOOK_WEBHOOK_DENY_NETWORKS", "fe80::1%eth0/128"),
        ("ROLLBOOK_WEBHOOK_ALLOWED_PORTS", "0"),
        ("ROLLBOOK_WEBHOOK_ALLOWED_PORTS", "443,65536"),
        ("ROLLBOOK_WEBHOOK_ALLOWED_PORTS", "443-8443"),
        ("ROLLBOOK_WEBHOOK_ALLOWED_PORTS", "4" * 5000),
        ("ROLLBOOK_WEBHOOK_PROXY_URL", "socks5://me:hush@proxy"),
        ("ROLLBOOK_WEBHOOK_PROXY_URL", "http://me:hush@proxy/path"),
        ("ROLLBOOK_WEBHOOK_PROXY_RESOLVES", "perhaps"),
        ("ROLLBOOK_WEBHOOK_PROXY_RESOLVES", "true"),  # of no proxy
        ("ROLLBOOK_WEBHOOK_CLIENT_KEY_FILE", "client.key"),  # of no certificate
    ],
)
def test_a_value_that_cannot_be_is_refused_by_its_variable_and_not_repeated_if_secret(
    environ: pytest.MonkeyPatch, variable: str, value: str
) -> None:
    (line,) = faults_of(environ, **{variable: value})
    assert line.startswith(f"{variable}: ")
    assert "MASTER_KEY" not in variable or value not in line
    assert "hush" not in line


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("10.0.0.1/8", "10.0.0.1/8 begins in the midst of a network: say 10.0.0.0/8"),
        ("::ffff:10.0.0.0/104", "::ffff:10.0.0.0/104 is a network of IPv4: say 10.0.0.0/8"),
        ("10.0.0.0/8, all", "all is no network like 10.1.0.0/16 or 2001:db8::/32"),
    ],
)
def test_a_network_is_refused_with_what_would_be_right(environ: pytest.MonkeyPatch, given: str, said: str) -> None:
    assert faults_of(environ, ROLLBOOK_WEBHOOK_DENY_NETWORKS=given) == [f"ROLLBOOK_WEBHOOK_DENY_NETWORKS: {said}"]


def test_production_does_not_open_all_there_is(environ: pytest.MonkeyPatch) -> None:
    for given in ("0.0.0.0/0", "10.0.0.0/8,::/0"):
        [line] = faults_of(environ, **SAFE, ROLLBOOK_WEBHOOK_ALLOW_NETWORKS=given)
        assert line.startswith("ROLLBOOK_WEBHOOK_ALLOW_NETWORKS: ")
    environ.setenv("ROLLBOOK_WEBHOOK_ALLOW_NETWORKS", "10.0.0.0/8")
    assert settings.read().production


def test_every_fault_has_its_line(environ: pytest.MonkeyPatch) -> None:
    lines = faults_of(environ, ROLLBOOK_PORT="x", ROLLBOOK_DRAIN_S="x")
    assert [line.partition(":")[0] for line in lines] == ["ROLLBOOK_PORT", "ROLLBOOK_DRAIN_S"]


def test_an_empty_variable_is_one_that_is_not_set(environ: pytest.MonkeyPatch) -> None:
    for name in ("AMQP_URL", "DATABASE_URL", "ROLLBOOK_PORT", "ROLLBOOK_MASTER_KEY"):
        environ.setenv(name, "")
    read = settings.read()
    assert (read.amqp_url, read.database_url, read.port, read.master_key) == (None, None, 8420, None)


def test_secrets_are_hidden_wherever_settings_are_shown(environ: pytest.MonkeyPatch) -> None:
    given = {
        **SAFE,
        "DATABASE_URL": "postgresql://me:hush@db/x",
        "AMQP_URL": "amqp://me:hush@mq/",
        "ROLLBOOK_WEBHOOK_PROXY_URL": "http://me:hush@proxy:4750",
    }
    for name, value in given.items():
        environ.setenv(name, value)
    values = {variable: value for variable, value, _ in settings.effective()}
    hidden = [variable for variable, value in values.items() if value == "********"]
    assert hidden == ["DATABASE_URL", "AMQP_URL", "ROLLBOOK_MASTER_KEY", "ROLLBOOK_WEBHOOK_PROXY_URL"]
    assert "hush" not in repr(settings.read())
    assert MASTER_KEY not in repr(settings.read())


@pytest.mark.usefixtures("environ")
def test_every_setting_is_listed_with_its_variable_and_description() -> None:
    for variable, value, meaning in settings.effective():
        assert variable.isupper()
        assert value != ""
        assert meaning


@pytest.mark.parametrize("variable", ["ROLLBOOK_MASTER_KEY", "ROLLBOOK_MASTER_KEY_FILE", "ROLLBOOK_MASTER_KEY_COMMAND"])
def test_production_takes_its_master_key_from_one_of_three_variables(
    environ: pytest.MonkeyPatch, variable: str
) -> None:
    for name, value in SAFE.items():
        if name != "ROLLBOOK_MASTER_KEY":
            environ.setenv(name, value)
    environ.setenv(variable, MASTER_KEY)
    assert settings.read().production
    other = "ROLLBOOK_MASTER_KEY_FILE" if variable == "ROLLBOOK_MASTER_KEY" else "ROLLBOOK_MASTER_KEY"
    [line] = faults_of(environ, **{other: MASTER_KEY})
    assert line in (
        f"{variable}: is set together with {other}; set one of them",
        f"{other}: is set together with {variable}; set one of them",
    )


def test_the_page_of_settings_has_every_setting_as_it_is() -> None:
    assert settings_page.PAGE.read_text(encoding="utf-8") == settings_page.page(), (
        "python -m tests.service.settings_page writes it"
    )
