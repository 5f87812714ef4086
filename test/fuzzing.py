"""Seeded fuzzing: what a stranger sends is answered or refused in words; no crash, no hang."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
import signal

import numpy as np

HANG_S = 60  # a case takes milliseconds

NUMBERS = (0.0, -0.0, 1.0, -1.0, 1e-300, 1e300, np.inf, -np.inf, np.nan, 320.0, 500.0)
INTEGERS = (0, 1, 2, 7, 48, 64, 192, 255, 65535, 2**31 - 1, 2**32 - 1)
WORDS = ('', ' ', 'rgb8', 'jpeg', 'a' * 1000, '\n', 'ÄÖ\u2028', '/etc/passwd', '%s%n', '../..')


def cases(count: int) -> Iterator[np.random.Generator]:
    """Yield random generators; the number of the case is its seed."""
    for seed in range(count):
        yield np.random.default_rng(seed)


def survives(work: Callable[[], object]) -> bool:
    """Run one case; return whether it was answered. Only a ValueError with words may refuse it."""
    with no_hang():
        try:
            work()
        except ValueError as refusal:
            words = str(refusal)
        else:
            return True
    assert len(words) > 10
    return False


@contextmanager
def no_hang() -> Iterator[None]:
    """Fail when what is inside does not end."""

    def give_up(number, frame):
        raise AssertionError(f'a case did not end within {HANG_S} s')

    before = signal.signal(signal.SIGALRM, give_up)
    signal.alarm(HANG_S)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def pick(rng: np.random.Generator, choices):
    """Return one of the choices as it is."""
    return choices[int(rng.integers(len(choices)))]


def damaged(data: bytes, rng: np.random.Generator) -> bytes:
    """Return bytes with a few changed, cut out, repeated, or cut off."""
    out = bytearray(data)
    for _ in range(int(rng.integers(1, 6))):
        at, length = int(rng.integers(len(out) + 1)), int(rng.integers(1, 9))
        kind = rng.integers(5)
        if kind == 0:
            out[at : at + length] = rng.bytes(length)
        elif kind == 1:
            del out[at : at + length]
        elif kind == 2:
            out[at:at] = out[max(0, at - length) : at]
        elif kind == 3:
            del out[at:]
        elif at < len(out):
            out[at] ^= 1 << int(rng.integers(8))
    return bytes(out)
