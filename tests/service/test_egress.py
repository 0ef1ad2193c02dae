"""How webhooks leave as settings say: what may be called, whom they trust, and what is missed at the start."""

import asyncio
from ipaddress import ip_network
from pathlib import Path

import pytest

from service import egress, roles
from service.settings import Misconfigured, Settings
from tests.webhooks.certificates import Authority
from tests.webhooks.receiver import Receiver, answers
from webhooks.post import signature
from webhooks.post.ssrf import Policy, UrlRefused

SECRET = signature.new_secret(bytes(range(32)))


def given(**settings: object) -> Settings:
    return Settings.model_validate(settings)


def test_with_nothing_set_what_may_be_called_is_what_the_guard_says() -> None:
    assert egress.policy(given()) == Policy(production=False)


def test_networks_and_ports_are_those_of_the_settings() -> None:
    policy = egress.policy(
        given(
            webhook_allow_networks="10.0.0.0/8, fd12::/16,",
            webhook_deny_networks=" 10.6.0.0/16",
            webhook_allowed_ports="443, 8443",
        )
    )
    assert policy == Policy(
        production=False,
        allow_networks=(ip_network("10.0.0.0/8"), ip_network("fd12::/16")),
        deny_networks=(ip_network("10.6.0.0/16"),),
        allowed_ports=frozenset({443, 8443}),
    )
    with pytest.raises(UrlRefused, match="denied here"):
        policy.vet_url("https://10.6.0.1/")


async def test_what_sends_trusts_and_shows_what_is_configured(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    cert_file, key_file = authority.issue("rollbook.example", client=True)
    settings = given(
        webhook_ca_file=authority.ca_file, webhook_client_cert_file=cert_file, webhook_client_key_file=key_file
    )
    async with (
        Receiver(answers(200), tls=authority.serving("127.0.0.1", wants_client=True)) as target,
        egress.sender(settings) as sender,
    ):
        assert (await sender.post(target.url, b"{}", [SECRET], id="evt_1", timestamp=1_700_000_000)).delivered


async def test_a_file_that_cannot_be_used_is_missed_before_anything_is_begun(tmp_path: Path) -> None:
    missing, data = tmp_path / "missing.pem", tmp_path / "data"
    settings = given(webhook_ca_file=missing, data_dir=data)
    for played in ({"worker"}, {"api", "relay", "worker"}):
        with pytest.raises(Misconfigured) as refused:
            await asyncio.wait_for(roles.run(settings, frozenset(played)), 10)
        assert str(refused.value) == f"ROLLBOOK_WEBHOOK_CA_FILE: {missing} cannot be read: No such file or directory"
    assert not data.exists()


def test_a_key_that_does_not_fit_names_both_files(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    cert_file, _ = authority.issue("one.example", client=True)
    _, key_file = authority.issue("two.example", client=True)
    with pytest.raises(Misconfigured, match=r"^ROLLBOOK_WEBHOOK_CLIENT_CERT_FILE, ROLLBOOK_WEBHOOK_CLIENT_KEY_FILE"):
        egress.sender(given(webhook_client_cert_file=cert_file, webhook_client_key_file=key_file))
