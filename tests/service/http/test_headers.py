"""What headers come to: keys, versions, fingerprints; and how keys are shown."""

import base64

import pytest

from events.keys import MasterKeys
from service import api_versions
from service.http import credentials, fingerprint, form
from service.http.refusals import BadScheme, NoKey, starred

KEYS = MasterKeys(bytes(32))


@pytest.mark.parametrize(
    ("header", "key"),
    [
        ("Bearer sk_test_1", "sk_test_1"),
        ("bearer  sk_test_1 ", "sk_test_1"),
        ("Basic " + base64.b64encode(b"sk_test_1:").decode(), "sk_test_1"),
        ("Basic " + base64.b64encode(b"sk_test_1").decode(), "sk_test_1"),
        ("basic " + base64.b64encode(b"sk_test_1:password").decode(), "sk_test_1"),
    ],
)
def test_a_key_is_found_in_its_header(header: str, key: str) -> None:
    assert credentials.key_of(header) == key


@pytest.mark.parametrize("header", [None, "", "Bearer", "Bearer  ", "Basic " + base64.b64encode(b":").decode()])
def test_a_header_without_a_key_is_no_key(header: str | None) -> None:
    with pytest.raises(NoKey) as raised:
        credentials.key_of(header)
    assert type(raised.value) is NoKey


@pytest.mark.parametrize("header", ["sk_test_1", "Digest x", "Basic x", "Basic é", "Basic /w=="])
def test_a_header_of_another_scheme_is_recognized(header: str) -> None:
    with pytest.raises(BadScheme):
        credentials.key_of(header)


@pytest.mark.parametrize(
    ("key", "shown"),
    [
        ("", ""),
        ("short", "*****"),
        ("123456789012", "************"),
        ("1234567890123", "12345678*0123"),
        ("sk_test_abcdefghijkl", "sk_test_********ijkl"),
    ],
)
def test_a_key_is_shown_with_all_but_its_ends_starred_out(key: str, shown: str) -> None:
    assert starred(key) == shown


def test_a_version_is_one_of_the_reference_and_not_too_old() -> None:
    assert api_versions.choose(None, "2026-10-28.endive") == "2026-10-28.endive"
    assert api_versions.choose("2020-08-27", "2026-10-28.endive") == "2020-08-27"
    served = [version for version in api_versions.KNOWN if version >= api_versions.OLDEST]
    assert all(api_versions.choose(version, "") == version for version in served)


def test_a_fingerprint_is_of_what_was_asked_however_it_was_written() -> None:
    def of(body: str, *, path: str = "/v1/customers", version: str = "a", account: str | None = None) -> bytes:
        return fingerprint.of(KEYS, "POST", path, form.decode(body), version, account)

    same = of("a=1&m[x]=1&m[y]=2")
    assert len(same) == 32
    assert of("m[y]=2&m%5Bx%5D=1&%61=1") == same
    others = {
        of("a=1&m[x]=1&m[y]=3"),
        of("a=1&m[x]=1"),
        of("a=1&m[x]=1&m[y]=2", path="/v1/customers/cus_1"),
        of("a=1&m[x]=1&m[y]=2", version="b"),
        of("a=1&m[x]=1&m[y]=2", account="acct_1"),
    }
    assert len(others | {same}) == 6


def test_a_fingerprint_is_nobodys_to_make_who_has_not_the_oldest_master_key() -> None:
    def of(*secrets: bytes) -> bytes:
        return fingerprint.of(MasterKeys(*secrets), "POST", "/v1/tokens", {"card": {"cvc": "123"}}, "a", None)

    old, new = bytes(32), bytes([1]) * 32
    assert of(old) == of(new, old), "a newer one may be put in front"
    assert of(new) != of(old)
