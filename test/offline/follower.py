"""A pipeline with a memory that costs nothing: it follows the bright spot of an image."""

from diffpose_ros.core.people import Box, FrameResult, InferenceInfo, Person, TrackState
from diffpose_ros.core.skeleton import H36M_17
import numpy as np

SPOT_PX = 8


class Follower:
    """
    Follows one spot; where there is none, the person is lost, and comes back as somebody new.

    interrupt_at  step in which the user presses Ctrl-C, counted over the life of the pipeline
    """

    skeleton = H36M_17

    def __init__(self, somebody, interrupt_at=None):
        self._somebody, self._interrupt_at = somebody, interrupt_at
        self.steps = 0
        self._born, self._since_ns = 0, None

    def step(self, frame):
        self.steps += 1
        if self.steps == self._interrupt_at:
            raise KeyboardInterrupt
        rows, columns = np.nonzero(frame.image[..., 0] > 200)
        had = self._since_ns is not None
        people = (self._follow(columns.mean(), rows.mean(), frame.stamp_ns),) if len(rows) else ()
        lost = (f'x{self._born}',) if had and not people else ()
        if not people:
            self._since_ns = None
        degraded = frozenset() if frame.camera else frozenset({'NO_CAMERA_INFO'})
        info = InferenceInfo(1, 1, 2, 5, 14, 'follower@0', degraded=degraded)
        return FrameResult(frame.stamp_ns, people, info, lost)

    def follow(self, frames, stage):
        for frame in frames:
            with stage('pose2d'):
                result = self.step(frame)
            yield result

    def reset(self):
        self._since_ns = None

    def _follow(self, x, y, stamp_ns):
        if self._since_ns is None:
            self._born, self._since_ns = self._born + 1, stamp_ns
        person = self._somebody(0)
        return Person(
            f'x{self._born}',
            TrackState.CONFIRMED,
            (stamp_ns - self._since_ns) / 1e9,
            Box(x, y, SPOT_PX, SPOT_PX, 0.9),
            person.pose2d,
            person.pose3d,
        )


def picture(x: int | None, width: int = 64, height: int = 48) -> np.ndarray:
    """Return a dark image with a spot at column x."""
    image = np.full((height, width, 3), 30, np.uint8)
    if x is not None:
        image[20 : 20 + SPOT_PX, x : x + SPOT_PX] = 255
    return image
