"""TLS to PostgreSQL: which certificates are accepted, and what is said of others and of files that hold none."""

import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Thread

import pytest

from events.database import open_connection
from events.database_tls import VARIABLES, context_for
from events.database_url import InvalidDatabaseUrl
from events.outage import DatabaseUnavailable, Kind
from tests.webhooks.certificates import Authority


@pytest.fixture(autouse=True)
def bare(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A machine without libpq's variables and files."""
    for variable in VARIABLES.values():
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))


@contextmanager
def server(tls: ssl.SSLContext | None) -> Iterator[tuple[int, list[bytes]]]:
    """Answers a request for TLS as PostgreSQL does, then hangs up; gives its port, and what came through TLS."""
    came: list[bytes] = []
    listening = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                connection, _ = listening.accept()
            except OSError:
                return  # closed
            with connection, suppress(OSError):
                connection.settimeout(10)
                if len(connection.recv(8, socket.MSG_WAITALL)) < 8:
                    continue
                connection.sendall(b"S" if tls else b"N")
                if tls:
                    with tls.wrap_socket(connection, server_side=True) as secured:
                        if received := secured.recv(1000):
                            came.append(received)

    thread = Thread(target=serve)
    thread.start()
    try:
        yield listening.getsockname()[1], came
    finally:
        listening.shutdown(socket.SHUT_RDWR)
        listening.close()
        thread.join()


async def refused(port: int, parameters: str) -> DatabaseUnavailable:
    with pytest.raises(DatabaseUnavailable) as unavailable:
        await open_connection(f"postgresql://app:hunter2@127.0.0.1:{port}/shop?{parameters}")
    said = unavailable.value.advised
    assert "\n" not in said
    assert ".." not in said
    assert "hunter2" not in said
    assert "Is the server running" not in said or unavailable.value.kind is Kind.UNREACHABLE
    return unavailable.value


async def test_a_certificate_by_an_authority_that_is_not_trusted(tmp_path: Path) -> None:
    ours, other = Authority(tmp_path), Authority(tmp_path, "other")
    with server(ours.serving("127.0.0.1")) as (port, came):
        error = await refused(port, f"sslmode=verify-full&sslrootcert={other.ca_file}")
    assert error.kind is Kind.TLS
    assert not error.hopeless, "the server's certificate may be replaced"
    assert f"127.0.0.1 port {port}" in error.advised
    assert "shows a certificate that is not accepted: self" in error.advised
    assert "Set sslrootcert in DATABASE_URL" in error.advised
    assert came == []


async def test_a_certificate_for_another_name(tmp_path: Path) -> None:
    ours = Authority(tmp_path)
    with server(ours.serving("db.example")) as (port, came):
        error = await refused(port, f"sslmode=verify-full&sslrootcert={ours.ca_file}")
        assert error.kind is Kind.TLS
        assert "Name the server in DATABASE_URL by a name that its certificate is valid for." in error.advised
        assert came == []
        await refused(port, f"sslmode=verify-ca&sslrootcert={ours.ca_file}")
        assert len(came) == 1, "verify-ca does not compare names"


async def test_a_server_without_tls() -> None:
    with server(None) as (port, _):
        error = await refused(port, "sslmode=require")
    assert error.kind is Kind.TLS
    assert "has no TLS, and sslmode in DATABASE_URL requires it" in error.advised


@pytest.mark.parametrize("parameters", ["sslrootcert=system", "sslrootcert=system&sslmode=verify-full"])
async def test_system_means_the_authorities_of_this_machine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, parameters: str
) -> None:
    ours = Authority(tmp_path)
    with server(ours.serving("127.0.0.1")) as (port, came):
        assert (await refused(port, parameters)).kind is Kind.TLS
        assert came == []
        monkeypatch.setenv("SSL_CERT_FILE", str(ours.ca_file))
        assert (await refused(port, parameters)).kind is not Kind.TLS
        assert len(came) == 1


async def test_system_compares_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ours = Authority(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(ours.ca_file))
    with server(ours.serving("db.example")) as (port, came):
        assert (await refused(port, "sslrootcert=system")).kind is Kind.TLS
    assert came == []


def test_system_is_refused_with_a_mode_that_does_not_compare_names() -> None:
    with pytest.raises(
        InvalidDatabaseUrl, match="sslrootcert=system needs sslmode=verify-full, and sslmode is require"
    ):
        context_for("postgresql://h/d?sslmode=require&sslrootcert=system")
    with pytest.raises(InvalidDatabaseUrl, match="sslmode is prefer"):
        context_for("postgresql://h/d", {"PGSSLROOTCERT": "system", "PGSSLMODE": "prefer"})


@pytest.mark.parametrize("name", ["sslrootcert", "sslcrl", "sslcert", "sslkey"])
@pytest.mark.parametrize("by_variable", [False, True])
async def test_a_file_that_cannot_be_used_is_named_with_its_parameter(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, by_variable: bool
) -> None:
    none = tmp_path / "none.pem"
    none.write_text("no certificate")
    cert, key = Authority(tmp_path).issue("app", client=True)
    files = {"sslcert": str(cert), "sslkey": str(key)} if name in ("sslcert", "sslkey") else {}
    for file, said in ((str(tmp_path / "missing"), "cannot be read: No such file"), (str(none), "holds no ")):
        named = {"sslmode": "verify-full", **files, name: file}
        if by_variable:
            for parameter, value in named.items():
                monkeypatch.setenv(VARIABLES[parameter], value)
        error = await refused(1, "" if by_variable else "&".join(f"{each}={named[each]}" for each in named))
        assert error.hopeless
        assert error.advised.startswith(f"DATABASE_URL {name}: {file} {said}")


def test_a_key_of_another_certificate(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    (cert, _), (_, key) = authority.issue("app"), authority.issue("other")
    with pytest.raises(InvalidDatabaseUrl, match=f"sslkey: {key} is not the key of the certificate in {cert}"):
        context_for(f"postgresql://h/d?sslmode=require&sslcert={cert}&sslkey={key}")


def test_a_key_that_is_encrypted(tmp_path: Path) -> None:
    cert, key = Authority(tmp_path).issue("app", password=b"hunter2")
    url = f"postgresql://h/d?sslmode=require&sslcert={cert}&sslkey={key}"
    assert context_for(f"{url}&sslpassword=hunter2") is None
    with pytest.raises(InvalidDatabaseUrl, match="encrypted with another password"):
        context_for(f"{url}&sslpassword=hunter3")


def test_files_that_will_not_be_used_are_not_read() -> None:
    assert context_for("postgresql://h/d?sslmode=disable&sslcert=/missing") is None
    assert context_for("postgresql://h/d?sslmode=prefer&sslrootcert=/missing&sslcrl=/missing") is None
