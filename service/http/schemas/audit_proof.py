"""Merkle proofs of the log."""

from typing import Literal

from pydantic import Field

from service.http.schemas.schema import Shape


class AuditProof(Shape):
    """The inclusion proof of an event."""

    object: Literal["rollbook.audit.proof"]
    """Type of the object: an inclusion proof."""
    checkpoint: str | None
    """The signed checkpoint (C2SP) over exactly `size` events; null if none was signed at that size."""
    entry: str
    """Entry of the tree: the hash of the event in the chain of its stream (hexadecimal)."""
    hashes: list[str]
    """Hashes of the proof (RFC 9162, 2.1.3), from the leaf upwards (hexadecimal)."""
    index: int
    """Index of the leaf: the position less one."""
    leaf_hash: str
    """Hash of the leaf: SHA-256 of a zero byte and the entry (hexadecimal)."""
    livemode: bool
    """Whether the object exists in live mode (true) or in test mode (false)."""
    position: int
    """Position of the event in the log."""
    root: str
    """Root of the tree (hexadecimal)."""
    size: int
    """Number of events in the tree."""
    tlog_proof: str | None
    """The proof with its checkpoint in one text (C2SP tlog-proof); null without a checkpoint."""


class AuditConsistency(Shape):
    """The consistency proof between two sizes of the log."""

    object: Literal["rollbook.audit.consistency"]
    """Type of the object: a consistency proof."""
    checkpoint: str | None
    """The signed checkpoint (C2SP) over exactly `to` events; null if none was signed at that size."""
    from_: int = Field(alias="from")
    """Number of events in the earlier tree."""
    from_root: str
    """Root of the earlier tree (hexadecimal)."""
    hashes: list[str]
    """Hashes of the proof (RFC 9162, 2.1.4; hexadecimal)."""
    livemode: bool
    """Whether the object exists in live mode (true) or in test mode (false)."""
    to: int
    """Number of events in the later tree."""
    to_root: str
    """Root of the later tree (hexadecimal)."""
