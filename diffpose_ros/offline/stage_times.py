"""Where the time of a recording goes, image by image; the pipeline itself has no clock."""

from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
import time
from typing import TypeVar

from diffpose_ros.core.pipeline import Stage

T = TypeVar('T')
STAGES = ('queue', 'decode', 'detect', 'pose2d', 'lift3d', 'publish')  # of the node, in turn


@contextmanager
def clocked(note: Callable[[float], object]) -> Iterator[None]:
    """Call note with the milliseconds spent inside."""
    begin = time.perf_counter()
    try:
        yield
    finally:
        note((time.perf_counter() - begin) * 1000)


class StageTimes:
    """
    Times of stages that run once for every image, in the order of the images.

    A stage may be images ahead of the next one: the n-th run of each belongs to the n-th image.
    """

    def __init__(self) -> None:
        self._ms: defaultdict[str, deque[float]] = defaultdict(deque)

    def stage(self, name: str) -> AbstractContextManager[None]:
        """Note the time spent inside for the image whose turn it is."""
        return clocked(self._ms[name].append)

    def next(self) -> dict[str, float]:
        """Return the milliseconds by stage of the next image; all its stages are done."""
        return {name: waiting.popleft() for name, waiting in self._ms.items()}


def fetched(images: Iterable[T], stage: Stage) -> Iterator[T]:
    """Yield the images; reading one is the stage decode."""
    coming = iter(images)
    while True:
        with stage('decode'):
            image = next(coming, None)
        if image is None:
            return
        yield image
