"""The decisions about a webhook endpoint, as given, when, then; without doubles."""

from dataclasses import dataclass
from functools import reduce

import pytest
from hypothesis import given as for_all
from hypothesis import strategies as st

from events.codec import Codec
from events.errors import Missing, Refusal
from events.personal import SubjectKey
from webhooks.endpoints import endpoint, rendering
from webhooks.endpoints.endpoint import (
    NOWHERE,
    CancelPending,
    Command,
    CreateEndpoint,
    DeleteEndpoint,
    DisableFailing,
    Endpoint,
    EndpointCreated,
    EndpointDeleted,
    EndpointDisabled,
    EndpointFailed,
    EndpointPatch,
    EndpointResumed,
    EndpointTested,
    EndpointUpdated,
    Event,
    NotifyOfFailing,
    OlderSecret,
    PendingCanceled,
    RecoverEndpoint,
    RecoveryBegun,
    Replay,
    ResumeEndpoint,
    RollSecret,
    RulesSet,
    SecretRolled,
    SendTest,
    SetRules,
    UpdateEndpoint,
    decide,
    evolve,
)
from webhooks.endpoints.rules import Rules

ID = "we_1Mr5jULkdIwHu7ix1ibLTM0x"
SECRET = "whsec_0123456789abcdefghijABCDEFGHIJ01"
URL = "https://example.com/hook"


def fold(events: tuple[Event, ...]) -> Endpoint:
    return reduce(evolve, events, NOWHERE)


@dataclass(frozen=True)
class Given:
    history: tuple[Event, ...]

    def when(self, command: Command) -> "When":
        return When(fold(self.history), command)


@dataclass(frozen=True)
class When:
    state: Endpoint
    command: Command

    def then(self, *expected: Event) -> None:
        assert decide(self.state, self.command) == list(expected)

    def refused(self, refusal: type[Refusal], *, param: str) -> None:
        with pytest.raises(refusal) as caught:
            decide(self.state, self.command)
        assert caught.value.param == param


def given(*history: Event) -> Given:
    return Given(history)


def create(**patch: object) -> CreateEndpoint:
    sent: EndpointPatch = {"url": URL, "enabled_events": ("*",), **patch}  # type: ignore[typeddict-item]  # a test's shorthand
    return CreateEndpoint(id=ID, secret=SECRET, created_at=1_700_000_000, api_version=None, patch=sent)


def created(**attributes: object) -> EndpointCreated:
    return EndpointCreated(
        id=ID,
        secret=SECRET,
        created_at=1_700_000_000,
        api_version=None,
        attributes={"url": URL, "enabled_events": ("*",), **attributes},  # type: ignore[typeddict-item]  # a test's shorthand
    )


def update(patch: EndpointPatch) -> UpdateEndpoint:
    return UpdateEndpoint(id=ID, patch=patch)


def test_creating_records_what_was_sent() -> None:
    given().when(create(description="Orders")).then(created(description="Orders"))


def test_defaults_are_not_recorded() -> None:
    given().when(create(description=None, metadata={}, disabled=False)).then(created())


def test_an_update_records_only_what_truly_changed() -> None:
    given(created()).when(update({"url": "https://example.com/new", "enabled_events": ("*",)})).then(
        EndpointUpdated(attributes={"url": "https://example.com/new"})
    )


def test_an_update_that_changes_nothing_is_nothing() -> None:
    given(created(metadata={"a": "1"})).when(update({"url": URL, "metadata": {"a": "1"}})).then()


def test_metadata_merges_by_key_and_an_empty_value_deletes_its_key() -> None:
    given(created(metadata={"a": "1", "b": "2"})).when(update({"metadata": {"b": "", "c": "3"}})).then(
        EndpointUpdated(attributes={"metadata": {"a": "1", "c": "3"}})
    )


def test_metadata_is_cleared_whole() -> None:
    given(created(metadata={"a": "1"})).when(update({"metadata": None})).then(
        EndpointUpdated(attributes={"metadata": {}})
    )


def test_metadata_has_at_most_fifty_keys() -> None:
    fifty = {f"key{n}": "x" for n in range(50)}
    given(created()).when(update({"metadata": fifty})).then(EndpointUpdated(attributes={"metadata": fifty}))
    given(created(metadata=fifty)).when(update({"metadata": {"one": "more"}})).refused(Refusal, param="metadata")
    given().when(create(metadata={**fifty, "one": "more"})).refused(Refusal, param="metadata")


def test_disabling_and_enabling_again() -> None:
    given(created()).when(update({"disabled": True})).then(EndpointUpdated(attributes={"disabled": True}))
    given(created(disabled=True)).when(update({"disabled": False})).then(
        EndpointUpdated(attributes={"disabled": False})
    )


def test_deleting_ends_it_and_nothing_finds_it_afterwards() -> None:
    given(created()).when(DeleteEndpoint(id=ID)).then(EndpointDeleted(id=ID))
    for command in (update({"url": URL}), DeleteEndpoint(id=ID)):
        given(created(), EndpointDeleted(id=ID)).when(command).refused(Missing, param="id")
        given().when(command).refused(Missing, param="id")


def test_what_is_missing_is_named_as_the_api_names_it() -> None:
    with pytest.raises(Missing, match=f"No such webhook endpoint: '{ID}'"):
        decide(NOWHERE, DeleteEndpoint(id=ID))


def notify(hours: int, since: int = 5) -> NotifyOfFailing:
    return NotifyOfFailing(id=ID, attempts=9, hours=hours, since=since)


def failed(hours: int, since: int = 5) -> EndpointFailed:
    return EndpointFailed(attempts=9, hours=hours, since=since)


DISABLE = DisableFailing(id=ID, attempts=21, reason="failing", since=5)
DISABLED = EndpointDisabled(attempts=21, reason="failing", since=5)


def test_the_owner_is_notified_once_in_each_period_of_failing() -> None:
    given(created()).when(notify(1)).then(failed(1))
    given(created(), failed(1)).when(notify(1)).then()
    given(created(), failed(1)).when(notify(24)).then(failed(24))
    given(created(), failed(24)).when(notify(1)).then()
    given(created(), failed(72)).when(notify(1, since=6)).then(failed(1, since=6))


def test_an_endpoint_that_fails_for_days_is_disabled_once_and_its_owner_may_enable_it_again() -> None:
    given(created(), failed(72)).when(DISABLE).then(DISABLED)
    given(created(), DISABLED).when(DISABLE).then()
    given(created(), DISABLED).when(notify(72)).then()
    given(created(), DISABLED).when(update({"disabled": True})).then()
    given(created(), DISABLED).when(update({"disabled": False})).then(EndpointUpdated(attributes={"disabled": False}))
    given(created(), EndpointDeleted(id=ID)).when(DISABLE).refused(Missing, param="id")


def test_the_owner_is_notified_of_the_endpoint_and_how_it_fails() -> None:
    state = fold((created(), DISABLED))
    shown = rendering.render_failing(state, False, DISABLED)
    assert shown == {
        **rendering.render(state, False),
        "failing": {"attempts": 21, "reason": "failing", "since": 5},
        "status": "disabled",
    }
    assert list(shown)[2:] == sorted(list(shown)[2:])
    assert rendering.render_failing(state, False, failed(1))["failing"] == {"attempts": 9, "hours": 1, "since": 5}


def roll(secret: str, at: int, overlap_s: int) -> RollSecret:
    return RollSecret(id=ID, at=at, overlap_s=overlap_s, secret=secret)


def rolled(secret: str, at: int, expires_at: int) -> SecretRolled:
    return SecretRolled(at=at, expires_at=expires_at, secret=secret)


def test_a_new_secret_signs_at_once_and_the_one_before_it_until_the_overlap_ends() -> None:
    given(created()).when(roll("new", 100, 50)).then(rolled("new", 100, 150))
    state = fold((created(), rolled("new", 100, 150)))
    assert (state.secret, state.older_secrets) == ("new", (OlderSecret(SECRET, 150),))


def test_no_older_secret_outlives_the_overlap_of_a_newer_one() -> None:
    longer = fold((created(), rolled("b", 100, 900), rolled("c", 200, 300)))
    assert longer.older_secrets == (OlderSecret("b", 300), OlderSecret(SECRET, 300))
    shorter = fold((created(), rolled("b", 100, 250), rolled("c", 200, 300)))
    assert shorter.older_secrets == (OlderSecret("b", 300), OlderSecret(SECRET, 250))
    assert fold((created(), rolled("b", 100, 900), rolled("c", 200, 200))).older_secrets == ()


def test_secrets_whose_time_is_over_are_forgotten_with_the_next() -> None:
    state = fold((created(), rolled("b", 100, 150), rolled("c", 200, 300)))
    assert state.older_secrets == (OlderSecret("b", 300),)


def test_five_secrets_are_the_most_at_a_time() -> None:
    four = [rolled(f"s{n}", 100, 900) for n in range(4)]
    given(created(), *four).when(roll("one more", 100, 50)).refused(Refusal, param="overlap")
    given(created(), *four).when(roll("only one", 100, 0)).then(rolled("only one", 100, 100))
    given(created(), *four).when(roll("later", 900, 50)).then(rolled("later", 900, 950))


def test_the_secret_of_a_deleted_endpoint_is_not_rolled() -> None:
    given(created(), EndpointDeleted(id=ID)).when(roll("new", 100, 50)).refused(Missing, param="id")


@pytest.mark.parametrize("replay", ["all", "latest", "skip"])
def test_an_endpoint_that_is_stopped_is_resumed_as_was_asked(replay: Replay) -> None:
    command = ResumeEndpoint(id=ID, replay=replay)
    given(created()).when(command).then()
    for stop in (DISABLED, EndpointUpdated(attributes={"disabled": True})):
        given(created(), stop).when(command).then(EndpointResumed(replay=replay))
        resumed = fold((created(), stop, EndpointResumed(replay=replay)))
        assert (resumed.disabled, resumed.replay) == (False, replay)
    again = fold((created(), EndpointResumed(replay="skip"), EndpointUpdated(attributes={"disabled": False})))
    assert again.replay == "all"


RECOVER = RecoverEndpoint(id=ID, position=None, since=7)


def test_what_it_missed_may_be_asked_for_again_and_again() -> None:
    begun = RecoveryBegun(position=None, since=7)
    given(created()).when(RECOVER).then(begun)
    given(created(), begun).when(RECOVER).then(begun)
    assert fold((created(), begun, begun)).recoveries == 2


def test_it_is_tested_as_often_as_is_asked() -> None:
    given(created(), EndpointTested()).when(SendTest(id=ID)).then(EndpointTested())


def test_what_is_pending_may_be_given_up_again_and_again() -> None:
    given(created(), PendingCanceled()).when(CancelPending(id=ID)).then(PendingCanceled())
    assert fold((created(), PendingCanceled(), PendingCanceled())).cancellations == 2


def test_what_is_recorded_of_rules_is_what_changed() -> None:
    thin = RulesSet(rules={"payload": "thin"})
    given(created()).when(SetRules(id=ID, rules={"payload": "thin", "order": "none"})).then(thin)
    given(created(), thin).when(SetRules(id=ID, rules={"payload": "thin"})).then()
    slow = RulesSet(rules={"rate_limit": 5})
    given(created(), slow).when(SetRules(id=ID, rules={"rate_limit": None})).then(RulesSet(rules={"rate_limit": None}))
    assert fold((created(), thin, slow)).rules == Rules(payload="thin", rate_limit=5)
    given(created(), EndpointDeleted(id=ID)).when(SetRules(id=ID, rules={})).refused(Missing, param="id")


def test_rules_may_be_set_while_it_is_disabled() -> None:
    given(created(), DISABLED).when(SetRules(id=ID, rules={"order": "strict"})).then(
        RulesSet(rules={"order": "strict"})
    )


@pytest.mark.parametrize("command", [RECOVER, SendTest(id=ID), CancelPending(id=ID)])
def test_nothing_is_sent_to_one_that_is_disabled(command: Command) -> None:
    with pytest.raises(Refusal, match="enable it"):
        decide(fold((created(), DISABLED)), command)
    given(created(), EndpointDeleted(id=ID)).when(command).refused(Missing, param="id")


patches = st.fixed_dictionaries(
    {},
    optional={
        "url": st.sampled_from([URL, "https://example.com/new"]),
        "enabled_events": st.sampled_from([("*",), ("customer.created", "customer.deleted")]),
        "description": st.sampled_from([None, "Orders", "Zoë’s orders"]),
        "metadata": st.none() | st.dictionaries(st.sampled_from("abc"), st.sampled_from(["", "1", "2"])),
        "disabled": st.booleans(),
    },
)


@for_all(st.lists(patches, max_size=8))
def test_an_update_sent_twice_adds_nothing(sent: list[EndpointPatch]) -> None:
    state = fold((created(),))
    for patch in sent:
        state = reduce(evolve, decide(state, update(patch)), state)
        assert decide(state, update(patch)) == []


def test_the_api_shows_these_keys_in_this_order() -> None:
    shown = rendering.render(fold((created(disabled=True, metadata={"a": "1"}),)), livemode=True)
    assert list(shown.items()) == [
        ("id", ID),
        ("object", "webhook_endpoint"),
        ("api_version", None),
        ("application", None),
        ("created", 1_700_000_000),
        ("description", None),
        ("enabled_events", ["*"]),
        ("livemode", True),
        ("metadata", {"a": "1"}),
        ("status", "disabled"),
        ("url", URL),
    ]


def test_the_secret_is_shown_at_creation_only() -> None:
    state = fold((created(),))
    assert SECRET not in str(rendering.render(state, livemode=False))
    shown = rendering.render_with_secret(state, livemode=False)
    assert shown["secret"] == SECRET
    assert list(shown)[2:] == sorted(list(shown)[2:])


def test_the_deleted_shape() -> None:
    assert rendering.render_deleted(ID) == {"id": ID, "object": "webhook_endpoint", "deleted": True}


def test_the_log_never_has_the_secret_or_the_metadata_in_clear() -> None:
    codec = Codec()
    for name, cls in endpoint.EVENT_TYPES.items():
        codec.register(name, cls)
    event = created(description="Orders", metadata={"owner": "Jenny"})
    stored = codec.encode(event, key=SubjectKey(bytes(32)), stream=endpoint.stream(ID), version=1)
    stored += codec.encode(rolled("whsec_new", 1, 2), key=SubjectKey(bytes(32)), stream=endpoint.stream(ID), version=2)
    for hidden in (SECRET, URL, "Orders", "Jenny", "whsec_new"):
        assert hidden.encode() not in stored


def test_the_rule_missed_decides_what_is_sent_of_a_time_when_it_was_disabled() -> None:
    skips = RulesSet(rules={"missed": "skip"})
    given(created(), DISABLED).when(ResumeEndpoint(id=ID, replay=None)).then(EndpointResumed(replay="all"))
    given(created(), skips, DISABLED).when(ResumeEndpoint(id=ID, replay=None)).then(EndpointResumed(replay="pending"))
    given(created(), skips, DISABLED).when(ResumeEndpoint(id=ID, replay="latest")).then(
        EndpointResumed(replay="latest")
    )
    enabled = EndpointUpdated(attributes={"disabled": False})
    assert fold((created(), DISABLED, enabled)).replay == "all"
    assert fold((created(), skips, DISABLED, enabled)).replay == "pending"
