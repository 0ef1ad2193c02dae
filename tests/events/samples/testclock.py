"""Events of test clocks."""

from events.testclock import AdvanceBegun, Arrived, ClockCreated, ClockDeleted, CustomerLetGo, CustomerTakenIn

SAMPLES = (
    ClockCreated(created=1_700_000_000, frozen_time=1_577_836_800, id="clock_1Mr5jULkdIwHu7", name="Annual renewal"),
    CustomerTakenIn(customer="cus_NffrFeUfNV2Hib"),
    CustomerLetGo(customer="cus_NffrFeUfNV2Hib"),
    AdvanceBegun(at=1_700_000_100, frozen_time=1_609_459_200),
    Arrived(frozen_time=1_609_459_200),
    ClockDeleted(id="clock_1Mr5jULkdIwHu7"),
)
