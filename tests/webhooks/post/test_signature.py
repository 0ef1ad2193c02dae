"""Signatures, checked with the libraries that receivers use."""

import json
import time

import pytest
import stripe
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks.webhooks import Webhook, WebhookVerificationError
from stripe import WebhookSignature

from webhooks.post import signature
from webhooks.post.signature import BadSignature

BODY = json.dumps({"id": "evt_1", "object": "event", "data": {"object": {"name": "Zoë"}}}).encode()
SECRET = signature.new_secret(bytes(range(32)))
OLDER = signature.new_secret(bytes(range(100, 132)))
ID = "evt_1NG8Du2eZvKYlo2CUI79vXWy"

secrets = st.binary(min_size=32, max_size=32).map(signature.new_secret)
texts = st.text(st.sampled_from('a.,="{}\\ \n\0é€😀'))
moments = st.integers(min_value=0, max_value=10**11)


def test_a_secret_is_its_prefix_and_32_letters_and_digits() -> None:
    prefix, letters = SECRET.split("_")
    assert prefix == "whsec"
    assert len(letters) == 32
    assert letters.isalnum()
    assert letters.isascii()


def test_the_stripe_library_takes_what_we_sign() -> None:
    now = int(time.time())
    sent = signature.headers(BODY, [SECRET], id=ID, timestamp=now)
    event = stripe.Webhook.construct_event(BODY, sent["Stripe-Signature"], SECRET)
    assert event.id == "evt_1"


def test_the_standard_webhooks_library_takes_what_we_sign() -> None:
    sent = signature.headers(BODY, [SECRET], id=ID, timestamp=int(time.time()))
    assert Webhook(SECRET).verify(BODY, sent)["id"] == "evt_1"


def test_while_a_secret_is_rolled_both_libraries_take_the_old_and_the_new() -> None:
    sent = signature.headers(BODY, [SECRET, OLDER], id=ID, timestamp=int(time.time()))
    assert sent["Stripe-Signature"].count("v1=") == 2
    for secret in (SECRET, OLDER):
        assert WebhookSignature.verify_header(BODY.decode(), sent["Stripe-Signature"], secret, 300)
        assert Webhook(secret).verify(BODY, sent)["id"] == "evt_1"


def test_both_libraries_refuse_another_secret() -> None:
    sent = signature.headers(BODY, [SECRET], id=ID, timestamp=int(time.time()))
    with pytest.raises(stripe.SignatureVerificationError):
        WebhookSignature.verify_header(BODY.decode(), sent["Stripe-Signature"], OLDER, 300)
    with pytest.raises(WebhookVerificationError):
        Webhook(OLDER).verify(BODY, sent)


def test_the_header_has_no_spaces_since_libraries_split_it_plainly() -> None:
    sent = signature.headers(BODY, [SECRET, OLDER], id=ID, timestamp=1_700_000_000)
    assert " " not in sent["Stripe-Signature"]
    assert sent["Stripe-Signature"].startswith("t=1700000000,v1=")


def test_a_delivery_without_a_secret_is_our_mistake() -> None:
    with pytest.raises(AssertionError):
        signature.headers(BODY, [], id=ID, timestamp=0)


@given(text=texts, secret=secrets, now=moments)
def test_whatever_we_sign_verifies(text: str, secret: str, now: int) -> None:
    body = text.encode()
    sent = signature.headers(body, [secret], id=ID, timestamp=now)
    signature.verify(body, sent["Stripe-Signature"], secret, now=now)
    signature.verify_standard(body, sent, secret, now=now)
    assert WebhookSignature.verify_header(text, sent["Stripe-Signature"], secret, None)


@given(text=texts, secret=secrets, other=secrets, change=st.binary(min_size=1))
def test_another_body_or_secret_never_verifies(text: str, secret: str, other: str, change: bytes) -> None:
    body = text.encode()
    sent = signature.headers(body, [secret], id=ID, timestamp=1_700_000_000)
    for tried_body, tried_secret in ((body + change, secret), (body, other + "A" if other == secret else other)):
        with pytest.raises(BadSignature):
            signature.verify(tried_body, sent["Stripe-Signature"], tried_secret, now=1_700_000_000)
    with pytest.raises(BadSignature):
        signature.verify_standard(body + change, sent, secret, now=1_700_000_000)


@pytest.mark.parametrize("now", [1_700_000_000 - 301, 1_700_000_000 + 301])
def test_an_old_or_early_signature_does_not_verify(now: int) -> None:
    sent = signature.headers(BODY, [SECRET], id=ID, timestamp=1_700_000_000)
    with pytest.raises(BadSignature, match="more than 300 s"):
        signature.verify(BODY, sent["Stripe-Signature"], SECRET, now=now)
    with pytest.raises(BadSignature, match="more than 300 s"):
        signature.verify_standard(BODY, sent, SECRET, now=now)


@given(header=st.text(st.sampled_from("t=v1,0 9af-é\udcff")))
def test_any_other_header_is_refused_and_nothing_worse(header: str) -> None:
    with pytest.raises(BadSignature):
        signature.verify(BODY, header, SECRET, now=1_700_000_000)
    with pytest.raises(BadSignature):
        signature.verify_standard(
            BODY,
            {"webhook-id": ID, "webhook-timestamp": "1700000000", "webhook-signature": header},
            SECRET,
            now=1_700_000_000,
        )
