"""TLS with receivers: whom we believe, as whom we show ourselves, and what is said of files that cannot be used."""

import ssl
import time
from asyncio import StreamReader, StreamWriter
from pathlib import Path

import pytest
from cryptography import x509

from tests.webhooks.certificates import Authority
from tests.webhooks.naming import leads_to
from tests.webhooks.receiver import Receiver, answers
from webhooks.outcome import Outcome
from webhooks.post import signature, tls
from webhooks.post.sender import Sender
from webhooks.post.ssrf import Policy

DEVELOPMENT = Policy(production=False)
SECRET = signature.new_secret(bytes(range(32)))
NAME = "receiver.example"


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


async def post(target: Receiver, context: ssl.SSLContext | None, name: str = NAME) -> Outcome:
    async with Sender(DEVELOPMENT, tls=context, lookup=leads_to("127.0.0.1")) as sender:
        url = f"https://{name}:{target.port}/hook"
        return await sender.post(url, b"{}", [SECRET], id="evt_1", timestamp=int(time.time()))


async def test_a_certificate_must_be_by_an_authority_we_trust(authority: Authority, tmp_path: Path) -> None:
    stranger = Authority(tmp_path, "stranger")
    async with Receiver(answers(200), tls=authority.serving(NAME)) as target:
        for context in (None, tls.context(), tls.context(stranger.ca_file)):
            assert (await post(target, context)).fault == "tls"
        assert target.received == []
        assert (await post(target, tls.context(authority.ca_file))).delivered


@pytest.mark.parametrize("name", ["other.example", "sub.receiver.example", "127.0.0.1"])
async def test_and_for_the_name_in_the_url(authority: Authority, name: str) -> None:
    async with Receiver(answers(200), tls=authority.serving(NAME)) as target:
        outcome = await post(target, tls.context(authority.ca_file), name)
        assert (outcome.fault, outcome.unreachable, target.received) == ("tls", True, [])


async def test_or_for_the_address(authority: Authority) -> None:
    async with Receiver(answers(200), tls=authority.serving("127.0.0.1")) as target:
        assert (await post(target, tls.context(authority.ca_file), "127.0.0.1")).delivered


async def test_one_that_cannot_be_decoded_is_the_receivers_fault(authority: Authority) -> None:
    issuer = bytes.fromhex("30123010 06082b06010505073001 8604 ff008061")  # a URI of a responder that is no text
    odd = x509.UnrecognizedExtension(x509.oid.ExtensionOID.AUTHORITY_INFORMATION_ACCESS, issuer)
    async with Receiver(answers(200), tls=authority.serving(NAME, more=odd)) as target:
        outcome = await post(target, tls.context(authority.ca_file))
        assert (outcome.fault, outcome.code, target.received) == ("tls", "tls.certificate", [])


async def test_and_still_good(authority: Authority) -> None:
    async with Receiver(answers(200), tls=authority.serving(NAME, for_s=-60)) as target:
        assert (await post(target, tls.context(authority.ca_file))).fault == "tls"
        assert target.received == []


@pytest.mark.parametrize("together", [False, True])
async def test_a_receiver_that_asks_sees_our_certificate(authority: Authority, together: bool) -> None:
    seen = []

    async def looks(reader: StreamReader, writer: StreamWriter) -> None:
        seen.append(writer.get_extra_info("peercert")["subject"])
        await answers(200)(reader, writer)

    cert_file, key_file = authority.issue("rollbook.example", client=True)
    if together:
        cert_file.write_bytes(cert_file.read_bytes() + key_file.read_bytes())
    async with Receiver(looks, tls=authority.serving(NAME, wants_client=True)) as target:
        assert not (await post(target, tls.context(authority.ca_file))).delivered
        assert seen == []
        ours = tls.context(authority.ca_file, cert_file, None if together else key_file)
        assert (await post(target, ours)).delivered
    assert seen == [((("commonName", "rollbook.example"),),)]


def test_nothing_older_than_tls_1_2_is_spoken() -> None:
    made = tls.context()
    assert made.minimum_version >= ssl.TLSVersion.TLSv1_2
    assert (made.verify_mode, made.check_hostname) == (ssl.CERT_REQUIRED, True)


def test_a_file_that_cannot_be_used_is_named_with_the_reason(authority: Authority, tmp_path: Path) -> None:
    cert_file, key_file = authority.issue("one.example", client=True)
    _, other_key = authority.issue("two.example", client=True)
    _, sealed_key = authority.issue("three.example", client=True, password=b"hush")
    garbage, missing = tmp_path / "garbage.pem", tmp_path / "missing.pem"
    garbage.write_text("no certificate")
    pair = "hold no certificate and its key, unencrypted, in PEM form"
    cases: list[tuple[tuple[Path | None, ...], str]] = [
        ((missing,), f"{missing} cannot be read: No such file or directory"),
        ((tmp_path,), f"{tmp_path} cannot be read: Is a directory"),
        ((garbage,), f"{garbage} holds no certificates in PEM form"),
        ((None, missing, key_file), f"{missing} cannot be read: No such file or directory"),
        ((None, cert_file, missing), f"{missing} cannot be read: No such file or directory"),
        ((None, cert_file, None), f"{cert_file} {pair}"),
        ((None, garbage, key_file), f"{garbage} and {key_file} {pair}"),
        ((None, cert_file, other_key), f"{cert_file} and {other_key} {pair}"),
        ((None, cert_file, sealed_key), f"{cert_file} and {sealed_key} {pair}"),
    ]
    for files, said in cases:
        with pytest.raises(tls.Unusable) as refused:
            tls.context(*files)
        assert str(refused.value) == said
