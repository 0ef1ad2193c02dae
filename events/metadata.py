"""Metadata: keys and values of the caller's own, merged by key (API reference, metadata)."""

from collections.abc import Mapping

from events.errors import Refusal

KEYS_MAX = 50


def merged(current: Mapping[str, str], sent: Mapping[str, str] | None) -> dict[str, str]:
    """`current` with what was sent: an empty value deletes its key, and None all of them.

    Raises Refusal when more than 50 keys would remain.
    """
    if sent is None:
        return {}
    kept = {key: text for key, text in sorted({**current, **sent}.items()) if text != ""}  # the order it is stored in
    if len(kept) > KEYS_MAX:
        raise Refusal(f"Metadata can have up to {KEYS_MAX} keys, but you've set {len(kept)}.", param="metadata")
    return kept
