"""Windows with holes: which earlier and later frames stand around a key frame."""

from collections import deque
from collections.abc import Iterable, Iterator, MutableSequence, Sequence
from typing import Any, Protocol, TypeVar

import numpy as np

NANOSECONDS = 1_000_000_000
MAX_AHEAD = 128  # frames; where the clock stands still, all of a recording would be near


class Stamped(Protocol):
    """Whatever was taken at a time."""

    @property
    def stamp_ns(self) -> int:
        """Time in nanoseconds."""


T = TypeVar('T', bound=Stamped)


def to_ns(time: Any) -> int:
    """Return a builtin_interfaces Time or Duration in nanoseconds."""
    return int(time.sec) * NANOSECONDS + int(time.nanosec)


def neighbours(
    stamps_ns: Sequence[int],
    key: int,
    past: int,
    future: int,
    min_gap_s: float,
    max_gap_s: float,
) -> list[int | None]:
    """
    Return the frames around the key frame, oldest first; None is a hole.

    stamps_ns  times of the frames at hand, in the order in which they came
    key        position of the key frame
    min_gap_s  a frame nearer than this to the one before it in the window is passed over
    max_gap_s  from one that is farther on there are holes, and so from a jump of the clock on
    returns    past + 1 + future positions, the key at position past
    """
    slots: list[int | None] = [None] * (past + 1 + future)
    slots[past] = key
    for direction, count in ((-1, past), (1, future)):
        ahead = range(key + 1, len(stamps_ns)) if direction == 1 else range(key - 1, -1, -1)
        last, taken = key, 0
        for i in ahead:
            gap_s = direction * (stamps_ns[i] - stamps_ns[last]) / NANOSECONDS
            if taken == count or not 0 <= gap_s <= max_gap_s:
                break
            if gap_s >= min_gap_s:
                last, taken = i, taken + 1
                slots[past + direction * taken] = i
    return slots


def time_slots(
    stamps_ns: Sequence[int], key: int, past: int, future: int, period_s: float
) -> list[int | None]:
    """
    Return the frames nearest to a regular grid of times around the key frame; None is a hole.

    stamps_ns  rising times of the frames at hand
    key        position of the key frame
    period_s   distance of the grid; a frame fills the slot it is nearest to; of two, the nearer
    returns    past + 1 + future positions, the key at position past
    """
    slots: list[int | None] = [None] * (past + 1 + future)
    offsets = (np.array(stamps_ns) - stamps_ns[key]) / NANOSECONDS / period_s
    wanted = past + np.rint(offsets).astype(int)
    errors = np.abs(offsets - np.rint(offsets))
    near = np.flatnonzero((wanted >= 0) & (wanted < len(slots)))
    for i in near[np.argsort(-errors[near], kind='stable')].tolist():  # the nearest comes last
        slots[wanted[i]] = i
    slots[past] = key
    return slots


def append_apart(frames: MutableSequence[T], newest: T, spacing_s: float) -> None:
    """
    Append the newest frame; the one before it goes if it is too near to the one before that.

    So of a stream of frames there remain the newest and earlier ones that lie spacing_s apart.
    """
    if len(frames) > 1 and near(frames[-2], frames[-1], spacing_s):
        frames.pop()
    frames.append(newest)


def near(before: Stamped, after: Stamped, spacing_s: float) -> bool:
    """Say whether so little time lies between two, and no jump of the clock."""
    return 0 <= after.stamp_ns - before.stamp_ns < spacing_s * NANOSECONDS


def with_later(
    frames: Iterable[T], count: int, spacing_s: float
) -> Iterator[tuple[T, tuple[T, ...]]]:
    """
    Yield each frame with later ones: count, fewer at the end, that append_apart will keep.

    No more than MAX_AHEAD frames are read ahead.
    """
    ahead: deque[T] = deque()
    kept: deque[T] = deque()  # of those that are ahead
    last: T | None = None
    for frame in frames:
        ahead.append(frame)
        if last is None or not near(last, frame, spacing_s):
            last = frame
            kept.append(frame)
        while len(kept) > count or (len(kept) == count and kept[0] is not ahead[0]):
            yield _next(ahead, kept)
        if len(ahead) > MAX_AHEAD:
            yield _next(ahead, kept)
    while ahead:
        yield _next(ahead, kept)


def _next(ahead: deque[T], kept: deque[T]) -> tuple[T, tuple[T, ...]]:
    frame = ahead.popleft()
    if kept and kept[0] is frame:
        kept.popleft()
    return frame, tuple(kept)
