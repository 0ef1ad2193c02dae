"""Fair shares (bulkheads between tenants): how accounts share a limited resource without preemption.

Pure. The rule is the dynamic threshold of shared packet buffers (Choudhury and Hahne, 1998): an account may take one
more unit while it uses less than `RESERVE` times what is free. One account alone gets seven eighths of the capacity,
two get seven fifteenths each. So a unit is free for the first request of the next account at once, although the others
may release none for many seconds. A capacity below eight is too small to reserve anything.

A share belongs to an account, both modes together (the `share` key, webhooks/sql/functions/share.sql): with a share for
each mode an account could use two, and leave no unit for another.
"""

import math

RESERVE = 7


class Shares:
    """Counts how much of `capacity` each account uses. Only its methods change its fields."""

    __slots__ = ("_used_by", "capacity", "used")

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self.used = 0
        self._used_by: dict[str, int] = {}

    @property
    def left(self) -> int:
        """How much is free; negative where more was taken than there is."""
        return self.capacity - self.used

    def allows(self, share: str, times: int = RESERVE) -> bool:
        """Whether one more may be taken: one is free, and the account uses less than `times` what is free."""
        left = self.capacity - self.used
        return left > 0 and self._used_by.get(share, 0) < times * left

    def room(self, share: str) -> int:
        """How many more an account may take before `allows` is false."""
        beyond = RESERVE * self.left - self._used_by.get(share, 0)
        return max(math.ceil(beyond / (RESERVE + 1)), 0)

    def take(self, share: str, count: int = 1) -> None:
        """Add to what an account uses, without checking `allows`."""
        self.used += count
        self._used_by[share] = self._used_by.get(share, 0) + count

    def free(self, share: str) -> None:
        """Release one."""
        self.used -= 1
        used_by = self._used_by
        left = used_by[share] - 1
        if left > 0:
            used_by[share] = left
        else:
            del used_by[share]

    def withhold(self, count: int) -> None:
        """Reduce the capacity, until it is restored."""
        self.capacity -= count

    def restore(self, count: int) -> None:
        """Restore capacity that was withheld."""
        self.capacity += count

    def users(self) -> dict[str, int]:
        """How much each account uses; accounts that use nothing are left out."""
        return dict(self._used_by)
