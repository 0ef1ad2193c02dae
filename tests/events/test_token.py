"""The decisions about a token, as given, when, then; without doubles."""

from events.card import BankAccount, Card
from events.token import TOKEN, CreateToken, TokenCreated, TokenUsed, UseToken
from tests.spec import given

CARD = Card(brand="visa", last4="4242")
CREATED = TokenCreated(card=CARD, created=1, holds="card_1", id="tok_1", type="card")
USED = TokenUsed(by="card_1", id="tok_1")


def test_a_token_stands_for_a_card_or_a_bank_account() -> None:
    state = given(TOKEN).when(CreateToken(card=CARD, created=1, holds="card_1", id="tok_1", type="card")).then(CREATED)
    assert (state.id, state.card, state.used) == ("tok_1", CARD, False)
    account = BankAccount(country="US", currency="usd", last4="6789")
    given(TOKEN).when(
        CreateToken(bank_account=account, created=1, holds="ba_1", id="btok_1", type="bank_account")
    ).then(TokenCreated(bank_account=account, created=1, holds="ba_1", id="btok_1", type="bank_account"))


def test_it_is_used_once() -> None:
    state = given(TOKEN, CREATED).when(UseToken(id="tok_1", by="card_1")).then(USED)
    assert state.used
    given(TOKEN, CREATED, USED).when(UseToken(id="tok_1", by="card_2")).refused(code="token_already_used")


def test_one_that_never_was_is_not_used() -> None:
    given(TOKEN).when(UseToken(id="tok_x", by="card_1")).refused(code="resource_missing")
