"""TLS to RabbitMQ: what is said of a certificate that is not accepted, and of a file that cannot be used."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)

from tests.webhooks.certificates import Authority
from webhooks.broker.amqp import BROKER_ERRORS, channel
from webhooks.broker.broker_tls import UnusableFile, check_files
from webhooks.broker.broker_url import cause


@asynccontextmanager
async def server(tls: ssl.SSLContext | None) -> AsyncIterator[int]:
    """Takes a connection and hangs up once something comes; gives its port."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.close()

    listening = await asyncio.start_server(answer, "127.0.0.1", 0, ssl=tls)
    async with listening:
        yield listening.sockets[0].getsockname()[1]


async def met(port: int, query: str = "") -> str:
    url = f"amqps://me:hush@127.0.0.1:{port}/{query}"
    with pytest.raises(BROKER_ERRORS) as refused:
        async with channel(url, "test"):
            pass
    line = cause(url, refused.value)
    where, said = line.split(", TLS: ")
    assert where == f"127.0.0.1:{port}, virtual host '/', user 'me'"
    assert "\n" not in line
    assert ".." not in line
    assert "hush" not in line
    return said


async def test_a_certificate_by_an_authority_that_is_not_trusted(tmp_path: Path) -> None:
    ours, other = Authority(tmp_path), Authority(tmp_path, "other")
    async with server(ours.serving("127.0.0.1")) as port:
        for query in ("", f"?cafile={other.ca_file}"):
            said = await met(port, query)
            assert said.startswith("the certificate of the broker is not accepted: self")
            assert said.endswith(". Set cafile in AMQP_URL to the file of its authority's certificate")
        assert "certificate" not in await met(port, f"?cafile={ours.ca_file}")


async def test_a_certificate_for_another_name(tmp_path: Path) -> None:
    ours = Authority(tmp_path)
    async with server(ours.serving("mq.example")) as port:
        said = await met(port, f"?cafile={ours.ca_file}")
    assert said.startswith("the certificate of the broker is not accepted: IP address mismatch")
    assert said.endswith(". Name the broker in AMQP_URL by a name that its certificate is valid for")


async def test_a_port_without_tls() -> None:
    async with server(None) as port:
        assert (await met(port)).endswith("does the broker speak TLS at this port?")


async def test_files_that_cannot_be_used(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    (cert, key), (_, other) = authority.issue("app"), authority.issue("other")
    for query, said in (
        ("cafile=/missing.pem", "No such file or directory"),
        (f"cafile={key}", "it holds no certificate or no private key in PEM form"),
        (f"certfile={cert}", "it holds no certificate or no private key in PEM form"),
        (f"certfile={cert}&keyfile={other}", "the key is not that of the certificate"),
    ):
        named = query.replace("&", " ")
        assert await met(1, f"?{query}") == f"a file that AMQP_URL names ({named}) cannot be used: {said}"


def test_files_are_checked_before_a_connection_is_made(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    (cert, key), (_, other) = authority.issue("app"), authority.issue("other")
    ca, missing, encrypted = authority.ca_file, "/missing.pem", tmp_path / "encrypted.key"
    private = load_pem_private_key(key.read_bytes(), None)
    encrypted.write_bytes(
        private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"a password"))
    )
    for query, said in (
        (f"cafile={missing}", f"cafile: {missing} cannot be read: No such file or directory"),
        (f"cafile={key}", f"cafile: {key} holds no certificate in PEM form"),
        (f"capath={missing}", f"capath: {missing} cannot be read: No such file or directory"),
        (f"capath={ca}", f"capath: {ca} cannot be read: Not a directory"),
        (f"certfile={missing}", f"certfile: {missing} cannot be read: No such file or directory"),
        (f"certfile={key}", f"certfile: {key} holds no certificate in PEM form"),
        (f"certfile={cert}", f"certfile: {cert} holds no private key in PEM form"),
        (f"certfile={cert}&keyfile={missing}", f"keyfile: {missing} cannot be read: No such file or directory"),
        (f"certfile={cert}&keyfile={cert}", f"keyfile: {cert} holds no private key in PEM form"),
        (f"certfile={cert}&keyfile={other}", f"keyfile: {other} does not hold the key of the certificate in {cert}"),
        (
            f"certfile={cert}&keyfile={encrypted}",
            f"keyfile: the private key in {encrypted} is encrypted, and must not be",
        ),
    ):
        with pytest.raises(UnusableFile) as refused:
            check_files(f"amqps://me:hush@127.0.0.1/?{query}")
        assert str(refused.value) == said
    check_files(f"amqps://127.0.0.1/?cafile={ca}&capath={tmp_path}&certfile={cert}&keyfile={key}")
    check_files(f"amqps://127.0.0.1/?cafile={ca}&cafile={missing}")  # aiormq takes the first, too
    check_files(f"amqp://127.0.0.1/?cafile={missing}")  # without TLS no file is read
