"""What belongs to an image by its stamp waits here until the worker asks for it."""

from bisect import bisect_left
from threading import Condition
import time
from typing import Generic, TypeVar

Item = TypeVar('Item')

KEPT = 10  # images are large, and only the newest are asked for
SILENT_S = 1.0  # nobody waits for a topic that has been silent for so long


class StampBuffer(Generic[Item]):
    """The last items of a topic by stamp; one thread puts them in, another takes them out."""

    def __init__(self) -> None:
        self._items: list[tuple[int, Item]] = []  # by rising stamp
        self._heard = float('-inf')
        self._changed = Condition()

    def put(self, stamp_ns: int, item: Item) -> None:
        """Add an item; one older than the last means that time started anew."""
        with self._changed:
            if self._items and stamp_ns < self._items[-1][0]:
                self._items.clear()
            self._items = [*self._items[1 - KEPT :], (stamp_ns, item)]
            self._heard = time.monotonic()
            self._changed.notify_all()

    def get(self, stamp_ns: int, tolerance_ns: int, timeout_s: float) -> Item | None:
        """Return the item nearest to a stamp; wait for it as long as it may still come."""
        with self._changed:
            self._changed.wait_for(
                lambda: self._is_settled(stamp_ns, tolerance_ns),
                0 if self.is_silent() else timeout_s,
            )
            return self._nearest(stamp_ns, tolerance_ns)

    def is_silent(self) -> bool:
        """Say whether nothing has come for a while."""
        return time.monotonic() - self._heard >= SILENT_S

    def _is_settled(self, stamp_ns: int, tolerance_ns: int) -> bool:
        """Say whether nothing nearer is to be expected, at the rate of the last two."""
        newest = [stamp for stamp, _ in self._items[-2:]]
        if not newest or newest[-1] >= stamp_ns:
            return bool(newest)
        half_period_ns = (newest[-1] - newest[0]) / 2
        return stamp_ns - newest[-1] <= min(half_period_ns or tolerance_ns, tolerance_ns)

    def _nearest(self, stamp_ns: int, tolerance_ns: int) -> Item | None:
        i = bisect_left(self._items, stamp_ns, key=lambda entry: entry[0])
        around = self._items[max(0, i - 1) : i + 1]
        best = min(around, key=lambda entry: abs(entry[0] - stamp_ns), default=None)
        return best[1] if best and abs(best[0] - stamp_ns) <= tolerance_ns else None
