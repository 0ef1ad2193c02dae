"""Events of API keys."""

from events.api_key import KeyIssued, KeyRevoked

SAMPLES = (
    KeyIssued(
        created=1_700_000_000,
        digest="9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
        id="key_1Mr5jULkdIwHu7",
        key_type="restricted",
        name="ledger",
        permissions=("customers:read", "customers:write"),
        shown="rk_test_…book",
    ),
    KeyRevoked(id="key_1Mr5jULkdIwHu7"),
)
