"""Checkpoints as signed notes: the example of the note format's reference implementation, and what is refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from events.checkpoint import (
    COSIGNATURE,
    Checkpoint,
    InvalidNote,
    Note,
    Signer,
    Verifier,
    opened,
    parse_note,
    sign,
)

# The example in the documentation of Go's golang.org/x/mod/sumdb/note, where the format comes from.
EXAMPLE_KEY = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
EXAMPLE_SECRET = "PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz"
EXAMPLE = (
    "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n\n"
    "— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n"
)
CHECKPOINT = Checkpoint("rollbook.example/log", 20852163, bytes(range(32)))
SIGNER = Signer(CHECKPOINT.origin, bytes(range(1, 33)))


def test_the_example_of_the_reference_implementation_is_verified_and_signed_byte_for_byte() -> None:
    note, signer = parse_note(EXAMPLE), Signer.parse(EXAMPLE_SECRET)
    assert str(signer.verifier) == EXAMPLE_KEY
    assert signer.secret_text == EXAMPLE_SECRET
    assert Verifier.parse(EXAMPLE_KEY).verifies(note.text, note.signatures[0])
    assert str(Note(note.text, (signer.sign(note.text),))) == EXAMPLE


def test_a_checkpoint_is_three_lines_and_a_signature() -> None:
    note = sign(CHECKPOINT, [SIGNER])
    assert note.startswith(
        "rollbook.example/log\n20852163\nAAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n\n— rollbook."
    )
    assert opened(note, [SIGNER.verifier]) == CHECKPOINT


def test_while_a_key_is_rotated_either_of_the_two_verifies() -> None:
    newer = Signer.new(CHECKPOINT.origin)
    note = sign(CHECKPOINT, [newer, SIGNER])
    assert opened(note, [SIGNER.verifier]) == opened(note, [newer.verifier]) == CHECKPOINT


def test_extension_lines_and_signatures_of_others_are_skipped() -> None:
    text = CHECKPOINT.text + "an extension\n"
    note = str(Note(text, (Signer.new("somebody.example").sign(text), SIGNER.sign(text))))
    assert opened(note, [SIGNER.verifier]) == CHECKPOINT


@given(st.data())
def test_a_note_of_which_one_character_was_changed_is_refused(data: st.DataObject) -> None:
    note = sign(CHECKPOINT, [SIGNER])
    at = data.draw(st.integers(0, len(note) - 1))
    other = data.draw(st.characters(codec="utf-8").filter(lambda each: each != note[at]))
    with pytest.raises(InvalidNote):
        opened(note[:at] + other + note[at + 1 :], [SIGNER.verifier])


@pytest.mark.parametrize(
    "key", [Signer.new("another.example").verifier, Signer.new(CHECKPOINT.origin).verifier], ids=["name", "key"]
)
def test_a_note_that_another_key_signed_is_refused(key: Verifier) -> None:
    with pytest.raises(InvalidNote, match="not signed"):
        opened(sign(CHECKPOINT, [SIGNER]), [key])


def test_a_key_does_not_speak_for_a_log_of_another_name() -> None:
    other = Checkpoint("another.example", 1, bytes(32))
    with pytest.raises(InvalidNote, match="not signed"):
        opened(sign(other, [SIGNER]), [SIGNER.verifier])


@pytest.mark.parametrize(
    "text",
    ["", "a\n", "a\n1\n", "a\n01\nAAAA\n", "a\n-1\nAAAA\n", "a\n٣\nAAAA\n", "a\n1\nAAAA\n", "a\n1\n!\n", "\n1\nAAAA\n"],
)
def test_what_is_no_checkpoint_is_refused(text: str) -> None:
    with pytest.raises(InvalidNote):
        Checkpoint.parse(text)


@pytest.mark.parametrize(
    "key", ["", "name", "a+b", "a b+00000000+AAAA", EXAMPLE_KEY[:-4], EXAMPLE_KEY.replace("c7", "c8")]
)
def test_what_is_no_verifier_key_is_refused(key: str) -> None:
    with pytest.raises(InvalidNote):
        Verifier.parse(key)


@pytest.mark.parametrize("secret", ["", EXAMPLE_KEY, EXAMPLE_SECRET[:-4], EXAMPLE_SECRET.replace("Neumann", "Newmann")])
def test_what_is_no_private_key_is_refused_and_not_quoted(secret: str) -> None:
    with pytest.raises(InvalidNote) as refused:
        Signer.parse(secret)
    assert "AYEK" not in str(refused.value)


def test_a_private_key_is_not_shown() -> None:
    assert repr(SIGNER) == "<Signer rollbook.example/log>"


@pytest.mark.parametrize("name", ["", "a b", "a+b", "é" * 200, "a\nb"])
def test_a_name_that_cannot_be_in_a_signature_is_refused(name: str) -> None:
    with pytest.raises(InvalidNote):
        Signer.new(name)


def test_the_key_of_a_witness_does_not_sign_for_the_log() -> None:
    witness = Verifier(CHECKPOINT.origin, SIGNER.verifier.public, COSIGNATURE)
    assert Verifier.parse(str(witness)) == witness
    with pytest.raises(InvalidNote, match="not signed"):
        opened(sign(CHECKPOINT, [SIGNER]), [witness])
