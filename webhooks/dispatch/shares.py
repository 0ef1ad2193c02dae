"""Fair shares (bulkheads between tenants): how accounts share a limited resource without preemption.

Pure. The rule is the dynamic threshold of shared packet buffers (Choudhury and Hahne, 1998): an account may take one
more while it has less than `RESERVE` times what is free. One account alone gets seven eighths of the whole, two get
seven fifteenths each, and something stays free for the first request of the next account, although what the others
have taken may not come back for many seconds. Below eight there is nothing to reserve.

The unit that shares is an account in one mode (its `share` key, webhooks/sql/functions/share.sql): a load test
in test mode does not delay the live mode of the same account. An account that uses both modes has two shares.
"""

import math

RESERVE = 7


class Shares:
    """Counts who uses how much of `capacity`. Its fields change by its methods alone."""

    __slots__ = ("_used_by", "capacity", "used")

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self.used = 0
        self._used_by: dict[str, int] = {}

    @property
    def left(self) -> int:
        """How much nobody uses; below 0 where more was taken than there is."""
        return self.capacity - self.used

    def allows(self, share: str, times: int = RESERVE) -> bool:
        """Whether one more may be taken: there is one, and the account has less than `times` what is free."""
        left = self.capacity - self.used
        return left > 0 and self._used_by.get(share, 0) < times * left

    def room(self, share: str) -> int:
        """How many more may be taken before `allows` says no."""
        beyond = RESERVE * self.left - self._used_by.get(share, 0)
        return max(math.ceil(beyond / (RESERVE + 1)), 0)

    def take(self, share: str, count: int = 1) -> None:
        """Count what was taken, whether it was allowed or not."""
        self.used += count
        self._used_by[share] = self._used_by.get(share, 0) + count

    def free(self, share: str) -> None:
        """Give one back."""
        self.used -= 1
        used_by = self._used_by
        left = used_by[share] - 1
        if left > 0:
            used_by[share] = left
        else:
            del used_by[share]

    def withhold(self, count: int) -> None:
        """Take so much out of the capacity, until it is restored."""
        self.capacity -= count

    def restore(self, count: int) -> None:
        """Put back into the capacity what was withheld."""
        self.capacity += count

    def users(self) -> dict[str, int]:
        """How much each account has that has any."""
        return dict(self._used_by)
