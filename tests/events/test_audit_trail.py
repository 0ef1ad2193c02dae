"""Reads of history are events."""

from datetime import date

from events import audit_trail
from events.audit_trail import AUDIT_TRAIL, AuditRead, RecordRead
from events.scope import Scope
from tests.spec import given

READ = AuditRead(filters={"at": "3"}, operation="audit.customers.at", subject="customer-cus_1")


def test_every_read_is_an_event_also_the_same_one_again() -> None:
    again = RecordRead(operation=READ.operation, subject=READ.subject, filters={"at": "3"})
    assert given(AUDIT_TRAIL).when(again).then(READ).reads == 1
    assert given(AUDIT_TRAIL, READ).when(again).then(READ).reads == 2


def test_a_trail_is_of_an_account_a_mode_and_a_day() -> None:
    day = date(2026, 11, 27)
    assert AUDIT_TRAIL.stream(audit_trail.key(Scope("acct_1", True), day)) == "audit_trail-acct_1-live-20261127"
    assert AUDIT_TRAIL.stream(audit_trail.key(Scope("acct_1", False), day)) == "audit_trail-acct_1-test-20261127"
