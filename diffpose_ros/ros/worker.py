"""One thread that works on the newest image; what comes while it works replaces what waits."""

from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as StillAtWork
from dataclasses import dataclass
from functools import partial
from threading import Condition, Thread
from typing import TypeVar

from diffpose_ros.ros.timing import Timing
from sensor_msgs.msg import CompressedImage, Image

Answer = TypeVar('Answer')


@dataclass(frozen=True)
class Arrival:
    """A received image; seq counts all received ones."""

    msg: Image | CompressedImage
    seq: int
    timing: Timing


def alone(errand: Callable[[], Answer]) -> Answer:
    """
    Return what a function answers in a thread that ends with it.

    On a processor PyTorch keeps a pool of threads for every thread that asked it for something.
    Where two of them share the cores, its many small operations take twice as long. So whoever
    loads or tests the networks must not outlive that.
    """
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(errand).result()


class NewestWorker:
    """
    A mailbox for one image and the thread that empties it.

    work  called with each image
    died  called when the thread has ended unexpectedly, before a new one starts
    """

    def __init__(self, work: Callable[[Arrival], None], died: Callable[[], None]) -> None:
        self._work = work
        self._died = died
        self._waiting: Arrival | None = None
        self._errands: deque[Callable[[], None]] = deque()
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

    def call(self, errand: Callable[[], Answer], timeout_s: float) -> Answer:
        """
        Call a function in the thread, after the image at hand and before the next.

        raises  TimeoutError when the image at hand takes too long, and what the function raises
        """
        future: Future[Answer] = Future()
        with self._changed:
            self._errands.append(partial(_fulfil, future, errand))
            self._changed.notify()
        try:
            return future.result(timeout_s)
        except StillAtWork as error:
            future.cancel()
            raise TimeoutError(f'busy for more than {timeout_s:.0f} s; try again') from error

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
        while (job := self._take()) is not None:
            job()

    def _take(self) -> Callable[[], None] | None:
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._errands or not self._open)
            if not self._open:
                return None
            if self._errands:
                return self._errands.popleft()
            arrival, self._waiting = self._waiting, None
            return partial(self._work, arrival)


def _fulfil(future: Future[Answer], errand: Callable[[], Answer]) -> None:
    """Run a function for a waiting caller, unless the caller gave up."""
    if not future.set_running_or_notify_cancel():
        return
    try:
        future.set_result(errand())
    except BaseException as error:
        future.set_exception(error)
