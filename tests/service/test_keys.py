"""API keys: what they may be given."""

from service.http.app import OPERATIONS
from service.keys import RIGHTS


def test_a_key_may_be_given_every_right_that_an_operation_asks_for() -> None:
    assert {operation.right for operation in OPERATIONS} <= set(RIGHTS)
