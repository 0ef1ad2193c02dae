"""API keys: what they may be given."""

import pytest

from events.errors import Refusal
from service.commands.keys import PERMISSIONS
from service.http.app import OPERATIONS
from tests import api_keys
from tests.service.serving import Api


def test_a_key_may_be_given_every_right_that_an_operation_asks_for() -> None:
    assert {operation.permission for operation in OPERATIONS} <= set(PERMISSIONS)


@pytest.mark.parametrize("account", ["a.b", "*", "#", "x'; drop", "a b", "", "é", "a" * 256])
async def test_an_account_is_one_word_of_a_routing_key(api: Api, account: str) -> None:
    with pytest.raises(Refusal, match="is not a valid account id"):
        await api_keys.issue(api.core, account=account)
