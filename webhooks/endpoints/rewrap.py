"""Key rotation of signing secrets: a secret leaves the log sealed by its stream's key, and is sealed by a master key in
the read models of endpoints, for workers. See events/rewrap.py.
"""

import base64
from collections.abc import AsyncIterator, Sequence
from typing import Any

import orjson

from events.database import load_sql
from events.errors import BrokenHistory
from events.keys import MasterKeys
from events.rewrap import COUNT_TIMEOUT_S, Batch, Count, NotRotated, Sealed, SealedSnapshots, WrappedKeys
from projections.rebuild.shadow import NEXT, PREVIOUS
from webhooks.endpoints import endpoint

ENDPOINTS_MAX = 20  # appends wait while a batch is replaced

# Versions of the read model beside the one in use (projections/rebuild): they have secrets too, as they were made.
OTHER_VERSIONS = f"""
SELECT n.nspname AS schema FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relname = 'resource' AND n.nspname IN ('{NEXT}', '{PREVIOUS}') ORDER BY 1
"""
ADVICE = {
    NEXT: "is being rebuilt: let the rebuild finish",
    PREVIOUS: "is kept for a rollback of a rebuild: drop it (rollbook rebuild customers --drop-previous)",
}


class SealedSecrets:
    """The signing secrets in projections.resource and webhooks.endpoint."""

    def __init__(self) -> None:
        self._count = load_sql("webhooks", "count_endpoint_secrets")
        self._read = load_sql("webhooks", "read_endpoint_secrets")
        self._rewrap = load_sql("webhooks", "rewrap_endpoint_secrets")

    async def counts(self, connection: Any, names: Sequence[bytes]) -> Sequence[Count]:
        """See Sealed."""
        rows = await connection.fetch(self._count, timeout=COUNT_TIMEOUT_S)
        return [Count("signing secrets", row["name"], row["n"]) for row in rows]

    async def reseal(self, connection: Any, keys: MasterKeys) -> AsyncIterator[Batch]:
        """See Sealed."""
        for row in await connection.fetch(OTHER_VERSIONS):
            raise NotRotated(f"{row['schema']}.resource {ADVICE[row['schema']]}, and then run the rotation again.")
        last = ""
        while rows := await connection.fetch(self._read, last, ENDPOINTS_MAX):
            last = rows[-1]["id"]
            old, unreadable = [], []
            for row in rows:
                try:
                    secrets = [_resealed(keys, sealed, row["id"]) for sealed in orjson.loads(row["secrets"])]
                except BrokenHistory as error:
                    unreadable.append(str(error))
                    continue
                again = orjson.dumps(secrets).decode()
                if secrets != orjson.loads(row["secrets"]):
                    old.append((row["account"], row["livemode"], row["id"], row["secrets"], again))
            if old:
                async with connection.transaction():
                    await connection.execute("SELECT FROM events.head FOR UPDATE")
                    await connection.execute(self._rewrap, *map(list, zip(*old, strict=True)))
            yield Batch(len(rows), unreadable)


def _resealed(keys: MasterKeys, sealed: str, id: str) -> str:
    stored = base64.b64decode(sealed)
    return sealed if keys.seals(stored) else base64.b64encode(keys.reseal(stored, endpoint.stream(id))).decode()


# All that master keys seal. What gets another use of MasterKeys.seal is listed here.
TABLES: Sequence[Sealed] = (WrappedKeys(), SealedSnapshots(), SealedSecrets())
