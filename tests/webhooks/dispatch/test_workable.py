"""What is logged of an endpoint that cannot be worked with quotes nothing that is stored of it."""

import pytest

from events.errors import BrokenHistory
from webhooks.dispatch.workable import Unworkable, check_secrets
from webhooks.post.receiver_url import UrlUnreadable


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (None, "secret_unreadable"),
        (UrlUnreadable("it names no host"), "UrlUnreadable: it names no host"),
        (
            BrokenHistory("webhook_endpoint-we_1: does not unseal"),
            "BrokenHistory: webhook_endpoint-we_1: does not unseal",
        ),
        (UnicodeDecodeError("utf-8", b"whsec_\xff", 6, 7, "invalid start byte"), "UnicodeDecodeError"),
        (ValueError("whsec_hush"), "ValueError"),
    ],
)
def test_only_our_own_words_are_kept(error: Exception | None, said: str) -> None:
    assert str(Unworkable("secret_unreadable", error)) == said


@pytest.mark.parametrize(("secrets", "said"), [([], "there is none"), (["whsec_h\udcffush"], "it does not sign")])
def test_secrets_that_do_not_sign_are_not_quoted(secrets: list[str], said: str) -> None:
    with pytest.raises(Unworkable) as raised:
        check_secrets(secrets)
    assert str(raised.value) == said
