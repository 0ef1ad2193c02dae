"""Fair shares: one account gets nearly all of what is idle, and never what the next one needs to begin."""

from hypothesis import given
from hypothesis import strategies as st

from webhooks.dispatch.shares import RESERVE, Shares


def greedy(shares: Shares, *names: str) -> list[int]:
    """What each gets who take turns and take all they can."""
    while any(shares.allows(name) for name in names):
        for name in names:
            if shares.allows(name):
                shares.take(name)
    return [shares.users().get(name, 0) for name in names]


def test_one_account_alone_gets_seven_eighths() -> None:
    assert greedy(Shares(512), "a") == [448]


def test_two_accounts_get_the_same_and_leave_the_third_some() -> None:
    shares = Shares(512)
    assert greedy(shares, "a", "b") == [239, 239]
    assert shares.allows("c")


def test_whoever_had_it_all_is_brought_down_to_the_others_as_it_gives_back() -> None:
    shares = Shares(512)
    greedy(shares, "a")
    while not shares.allows("a"):  # each of the others takes whatever falls free
        shares.free("a")
        greedy(shares, "b")
        if shares.users()["b"] >= shares.users()["a"]:
            break
    assert abs(shares.users()["a"] - shares.users()["b"]) <= RESERVE + 1


@given(st.integers(1, 600), st.lists(st.integers(0, 6), max_size=600))
def test_the_next_account_can_always_begin_while_few_have_it_all(capacity: int, takers: list[int]) -> None:
    shares = Shares(capacity)
    for taker in takers:
        if shares.allows(str(taker)):
            shares.take(str(taker))
    assert shares.used <= capacity
    hungry = len(shares.users())
    if capacity > 2 * (1 + RESERVE * hungry):
        assert shares.allows("next"), shares.users()


@given(st.integers(1, 100), st.lists(st.integers(0, 3), max_size=100))
def test_room_is_how_many_more_are_allowed(capacity: int, takers: list[int]) -> None:
    shares = Shares(capacity)
    for taker in takers:
        if shares.used < capacity:
            shares.take(str(taker))
    room, count = shares.room("0"), 0
    while shares.allows("0"):
        shares.take("0")
        count += 1
    assert room == count
