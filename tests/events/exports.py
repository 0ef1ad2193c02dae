"""An export of the log as lines of CloudEvents, written by the format's description and by nothing of the product."""

import base64
import json
from datetime import timedelta
from typing import Any

import asyncpg

NAMES = {
    "request_id": "requestid",
    "idempotency_key": "idempotencykey",
    "correlation_id": "correlationid",
    "causation_id": "causationid",
}


async def exported(owner: asyncpg.Connection) -> list[bytes]:
    """Every event of the log, a line each."""
    return [line(row) for row in await owner.fetch("SELECT * FROM events.log ORDER BY position")]


def line(row: Any) -> bytes:
    """A row of events.log as a line."""
    assert row["recorded_at"].utcoffset() == timedelta(0)
    fields = {
        "specversion": "1.0",
        "id": str(row["position"]),
        "source": f"/accounts/{row['account']}/{'live' if row['livemode'] else 'test'}",
        "type": row["type"],
        "subject": row["stream"],
        "time": row["recorded_at"].strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        "datacontenttype": "application/json",
        "data_base64": base64.b64encode(row["payload"]).decode(),
        "position": str(row["position"]),
        "streamversion": str(row["version"]),
        "schemaversion": row["schema_version"],
        "hash": row["hash"].hex(),
        "actor": row["actor"],
        **{ours: row[name] for name, ours in NAMES.items() if row[name] is not None},
    }
    return json.dumps(fields, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode() + b"\n"
