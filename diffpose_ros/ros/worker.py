"""One thread that works on the newest image; what comes while it works replaces what waits."""

from collections.abc import Callable
from dataclasses import dataclass
from threading import Condition, Thread

from diffpose_ros.ros.timing import Timing
from sensor_msgs.msg import CompressedImage, Image


@dataclass(frozen=True)
class Arrival:
    """A received image; seq counts all received ones."""

    msg: Image | CompressedImage
    seq: int
    timing: Timing


class NewestWorker:
    """
    A mailbox for one image and the thread that empties it.

    work  called with each image
    died  called when the thread has ended against all care, before another one goes on
    """

    def __init__(self, work: Callable[[Arrival], None], died: Callable[[], None]) -> None:
        self._work = work
        self._died = died
        self._waiting: Arrival | None = None
        self._open = True
        self._changed = Condition()
        self._thread = self._start()

    def put(self, arrival: Arrival) -> None:
        """Offer an image; an older one that still waits is dropped."""
        if not self._thread.is_alive():
            self._died()
            self._thread = self._start()
        with self._changed:
            self._waiting = arrival
            self._changed.notify()

    def stop(self, timeout_s: float) -> bool:
        """End after the image at hand; return whether it ended in time."""
        with self._changed:
            self._open = False
            self._changed.notify()
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def _start(self) -> Thread:
        thread = Thread(target=self._run, name='diffpose worker', daemon=True)
        thread.start()
        return thread

    def _run(self) -> None:
        while (arrival := self._take()) is not None:
            self._work(arrival)

    def _take(self) -> Arrival | None:
        with self._changed:
            self._changed.wait_for(lambda: self._waiting is not None or not self._open)
            arrival, self._waiting = self._waiting, None
            return arrival if self._open else None
