"""Windows with holes: which earlier and later frames stand around a key frame."""

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from typing import TypeVar

import numpy as np

T = TypeVar('T')

NANOSECONDS = 1_000_000_000


def neighbours(
    stamps_ns: Sequence[int], key: int, past: int, future: int, max_gap_s: float
) -> list[int | None]:
    """
    Return the frames next to the key frame, oldest first; None is a hole.

    stamps_ns  times of the frames at hand, in the order in which they came
    key        position of the key frame
    max_gap_s  a neighbour farther than this from the one before it is a hole, and so is one
               from before a jump of the clock
    returns    past + 1 + future positions, the key at position past
    """
    slots: list[int | None] = [None] * (past + 1 + future)
    slots[past] = key
    for direction, count in ((-1, past), (1, future)):
        for step in range(1, count + 1):
            i, before = key + direction * step, key + direction * (step - 1)
            if not 0 <= i < len(stamps_ns):
                break
            if not 0 <= direction * (stamps_ns[i] - stamps_ns[before]) <= max_gap_s * NANOSECONDS:
                break
            slots[past + direction * step] = i
    return slots


def time_slots(
    stamps_ns: Sequence[int], key: int, past: int, future: int, period_s: float
) -> list[int | None]:
    """
    Return the frames nearest to a regular grid of times around the key frame; None is a hole.

    stamps_ns  rising times of the frames at hand
    key        position of the key frame
    period_s   distance of the grid; a frame fills the slot it is nearest to
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


def with_later(frames: Iterable[T], count: int) -> Iterator[tuple[T, tuple[T, ...]]]:
    """Yield each frame with those that follow it: count, fewer at the end."""
    ahead: deque[T] = deque()
    for frame in frames:
        ahead.append(frame)
        if len(ahead) > count:
            yield ahead.popleft(), tuple(ahead)
    while ahead:
        yield ahead.popleft(), tuple(ahead)
