"""Events of webhook endpoints."""

from webhooks.endpoints import endpoint
from webhooks.endpoints.endpoint import (
    EndpointCreated,
    EndpointDeleted,
    EndpointDisabled,
    EndpointFailed,
    EndpointResumed,
    EndpointTested,
    EndpointUpdated,
    PendingCanceled,
    RecoveryBegun,
    RulesSet,
    SecretRolled,
)

ATTRIBUTES = endpoint.Attributes(
    description="Ledger",
    disabled=True,
    enabled_events=("customer.created", "customer.updated"),
    metadata={"team": "blue"},
    url="https://example.com/hook?token=42",
)
SAMPLES = (
    EndpointCreated(
        api_version="2026-10-28.endive",
        attributes=ATTRIBUTES,
        created_at=1_700_000_000,
        id="we_1Mr5jULkdIwHu7",
        secret="whsec_0123456789abcdefghijABCDEFGHIJ01",
    ),
    EndpointUpdated(attributes=ATTRIBUTES),
    EndpointDeleted(id="we_1Mr5jULkdIwHu7"),
    EndpointFailed(attempts=8, hours=24, since=1_700_000_000),
    EndpointDisabled(attempts=21, reason="failing", since=1_700_000_000),
    SecretRolled(at=1_700_000_000, expires_at=1_700_086_400, secret="whsec_0123456789abcdefghijABCDEFGHIJ02"),
    EndpointResumed(replay="latest"),
    RecoveryBegun(position=812, since=1_700_000_000),
    EndpointTested(),
    PendingCanceled(),
    RulesSet(
        rules={
            "in_flight_max": 4,
            "on_exhaustion": "hold",
            "order": "customer",
            "payload": "thin",
            "rate_limit": None,
        }
    ),
)
