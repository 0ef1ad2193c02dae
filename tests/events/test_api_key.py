"""What may happen to an API key."""

from events.api_key import KIND, NO_KEY, ApiKey, IssueKey, KeyIssued, KeyRevoked, RevokeKey, decide, evolve
from events.decider import Decider
from events.errors import Missing
from tests.spec import given

API_KEY = Decider(KIND, NO_KEY, decide, evolve)
ID = "key_1Mr5jULkdIwHu7"
DIGEST = "ab" * 32
ISSUED = KeyIssued(
    created=1_700_000_000,
    digest=DIGEST,
    id=ID,
    name="ledger",
    key_type="restricted",
    permissions=("customers:read",),
    shown="rk_test_…book",
)


def test_a_key_is_issued_by_its_digest_alone() -> None:
    command = IssueKey(
        id=ID,
        created=1_700_000_000,
        digest=DIGEST,
        name="ledger",
        key_type="restricted",
        permissions=("customers:read",),
        shown="rk_test_…book",
    )
    state: ApiKey = given(API_KEY).when(command).then(ISSUED)
    assert (state.id, state.digest, state.permissions, state.revoked) == (ID, DIGEST, ("customers:read",), False)


def test_a_key_is_revoked_for_good() -> None:
    state: ApiKey = given(API_KEY, ISSUED).when(RevokeKey(id=ID)).then(KeyRevoked(id=ID))
    assert state.revoked
    assert state.digest == DIGEST


def test_revoking_twice_changes_nothing() -> None:
    given(API_KEY, ISSUED, KeyRevoked(id=ID)).when(RevokeKey(id=ID)).nothing_happens()


def test_a_key_that_never_was_is_missing() -> None:
    given(API_KEY).when(RevokeKey(id=ID)).refused(Missing, code="resource_missing", param="id")
