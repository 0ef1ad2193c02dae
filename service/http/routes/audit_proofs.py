"""`/v1/rollbook/audit/proof` and `…/consistency`: Merkle proofs for auditors, to be verified against a checkpoint."""

import base64
from collections.abc import Sequence

from events.errors import Refusal
from events.merkle import leaf_hash
from events.sealed_tree import SealedTree
from projections.rows import dumps
from service.commands.audit import record_read
from service.http.operation import Operations
from service.http.params import audit_proof as parameters_of
from service.http.pipeline import RequestContext
from service.http.reply import Reply

operation = Operations()
PERMISSION = "audit:read"
URL = "/v1/rollbook/audit"


@operation(
    "GET",
    f"{URL}/proof",
    "audit.proof",
    permission=PERMISSION,
    parameters=parameters_of.RetrieveProof,
    answers="rollbook.audit.proof",
)
async def proof(context: RequestContext) -> Reply:
    """Retrieve the inclusion proof of an event.

    It shows that the event is in the Merkle tree (RFC 9162) of the log, whose root a checkpoint signs. Reading is
    itself an event of the audit trail.
    """
    parameters = context.parse(parameters_of.RetrieveProof)
    await record_read(context.pipeline.executor, context.begin(), "audit.proof", filters=parameters.model_dump())
    tree, position = context.pipeline.tree, parameters.position
    entry = await tree.entry(context.caller.scope, position)
    if entry is None:
        raise Refusal(f"No such event: '{position}'", code="resource_missing", param="position")
    size = await _size(tree, parameters.size, "size")
    if size < position:
        raise Refusal(
            f"The event at position {position} is not in the tree of {size} events.",
            param="position" if parameters.size is None else "size",
        )
    checkpoint = await _checkpoint(tree, size)
    hashes = await tree.inclusion(position - 1, size)
    shown = {
        "object": "rollbook.audit.proof",
        "checkpoint": checkpoint,
        "entry": entry.hex(),
        "hashes": [each.hex() for each in hashes],
        "index": position - 1,
        "leaf_hash": leaf_hash(entry).hex(),
        "livemode": context.caller.livemode,
        "position": position,
        "root": (await tree.root(size)).hex(),
        "size": size,
        "tlog_proof": None if checkpoint is None else tlog_proof(position - 1, hashes, checkpoint),
    }
    return Reply(200, dumps(shown))


@operation(
    "GET",
    f"{URL}/consistency",
    "audit.consistency",
    permission=PERMISSION,
    parameters=parameters_of.RetrieveConsistency,
    answers="rollbook.audit.consistency",
)
async def consistency(context: RequestContext) -> Reply:
    """Retrieve the consistency proof between two sizes of the log.

    It shows that the tree of the later size begins with all of the earlier one: nothing was changed or removed between
    two checkpoints. Reading is itself an event of the audit trail.
    """
    parameters = context.parse(parameters_of.RetrieveConsistency)
    await record_read(
        context.pipeline.executor, context.begin(), "audit.consistency", filters=parameters.model_dump(by_alias=True)
    )
    tree, old = context.pipeline.tree, parameters.from_
    new = await _size(tree, parameters.to, "to")
    if old > new:
        raise Refusal(f"The log has {new} events in its later tree, which is fewer than {old}.", param="from")
    shown = {
        "object": "rollbook.audit.consistency",
        "checkpoint": await _checkpoint(tree, new),
        "from": old,
        "from_root": (await tree.root(old)).hex(),
        "hashes": [each.hex() for each in await tree.consistency(old, new)],
        "livemode": context.caller.livemode,
        "to": new,
        "to_root": (await tree.root(new)).hex(),
    }
    return Reply(200, dumps(shown))


def tlog_proof(index: int, hashes: Sequence[bytes], checkpoint: str) -> str:
    """A proof in one text (https://c2sp.org/tlog-proof)."""
    lines = ["c2sp.org/tlog-proof@v1", f"index {index}", *(base64.b64encode(each).decode() for each in hashes)]
    return "\n".join([*lines, "", checkpoint])


async def _size(tree: SealedTree, given: int | None, param: str) -> int:
    """A size that is sealed; the default is that of the newest checkpoint. Raises Refusal."""
    sealed = await tree.size()
    if given is None:
        newest = await tree.checkpoint()
        return sealed if newest is None else newest.size
    if given > sealed:
        raise Refusal(f"The Merkle tree has {sealed} events, not yet {given}.", param=param)
    return given


async def _checkpoint(tree: SealedTree, size: int) -> str | None:
    """The checkpoint over exactly so many events, as it was signed; None without one."""
    found = await tree.checkpoint(size)
    if found is None or found.size != size:
        return None
    return found.note
