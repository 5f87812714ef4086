"""Spinning until somebody ends it."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
import signal
from types import FrameType

from rclpy.executors import Executor, ExternalShutdownException

AWAKE_S = 0.2  # so often it is looked whether a signal has come


@contextmanager
def noted_signals() -> Iterator[Callable[[], bool]]:
    """
    Note SIGINT and SIGTERM; what is yielded says whether one has come.

    An exception that a signal raises may meet rclpy amid a message, which makes another error of
    it or crashes, and rclpy's own handlers shut down in a thread of their own what is in use. So a
    signal is only noted, and the program ends where it chooses; with rclpy.init give
    SignalHandlerOptions.NO. A second signal acts as usual.
    """
    numbers = (signal.SIGINT, signal.SIGTERM)
    came: list[int] = []

    def note(number: int, _frame: FrameType | None) -> None:
        came.append(number)
        signal.signal(number, former[number])

    former = {number: signal.signal(number, note) for number in numbers}
    try:
        yield lambda: bool(came)
    finally:
        for number in numbers:
            signal.signal(number, former[number])


def spin(executor: Executor, ended: Callable[[], bool]) -> None:
    """Spin until ended() or a shutdown."""
    try:
        while executor.context.ok() and not ended():
            executor.spin_once(timeout_sec=AWAKE_S)
    except ExternalShutdownException:
        return
