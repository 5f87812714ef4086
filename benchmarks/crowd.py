"""The node with made-up people who come and go; main path real, networks not."""

from collections.abc import Sequence

from diffpose_ros.core.config import InferenceConfig, PipelineConfig
from diffpose_ros.core.people import Box, Frame, JointState, Pose2D, Pose3D, ScaleSource
from diffpose_ros.core.pipeline import PosePipeline
from diffpose_ros.core.stage3d import View
from diffpose_ros.core.track import Track
from diffpose_ros.ros.node import main
import numpy as np
from numpy.typing import NDArray
import torch

WIDTH, HEIGHT = 320, 240  # of the picture
PLACES = 4  # people at once, side by side
J = len(PosePipeline.skeleton.joints)
NEEDED = 8  # frames that the main path keeps, as the packaged 2D estimator has it


def is_there(place: int, stamp_ns: int) -> bool:
    """Say whether somebody stands at this place; each comes and goes in a rhythm of their own."""
    return stamp_ns / 1e9 / (6 + 2 * place) % 1 < 0.6


def box_at(place: int) -> Box:
    """Return the box of who stands there, in pixels."""
    return Box(40.0 + 80 * place, 120.0, 50.0, 150.0, 0.9)


class Crowd:
    """Detector and both estimators of a scene that the time of the picture describes."""

    frames_needed = NEEDED
    window_frames = 1
    lookback_s = 0.5

    def __init__(self) -> None:
        self._rng = np.random.default_rng(0)
        shape = self._rng.uniform(size=(J, 2))
        self._shape = (shape - shape.min(axis=0)) / np.ptp(shape, axis=0)
        self.stamp_ns = 0

    def detect(self, image: NDArray[np.uint8]) -> list[Box]:
        """Return the boxes of who is there."""
        return [box_at(place) for place in range(PLACES) if is_there(place, self.stamp_ns)]

    def estimate(
        self,
        frames: Sequence[Frame],
        tracks: Sequence[Track],
        settings: InferenceConfig,
        later: Sequence[Frame],
    ) -> list[Pose2D]:
        """Return a pose per track, without any score where nobody is left."""
        return [self._pose(track) for track in tracks]

    def lift(self, tracks: Sequence[Track], stamp_ns: int, view: View) -> list[Pose3D]:
        """Return bodies four metres away."""
        return [self._body(track, view.config.inference.hypotheses) for track in tracks]

    def warm_up(self, settings: InferenceConfig | None = None, most: int = 1) -> None:
        """Need nothing."""

    def _pose(self, track: Track) -> Pose2D:
        place = round((track.box.x_center - 40) / 80)
        box = box_at(place)
        xy = box.corners[:2] + self._shape * (box.width, box.height)
        xy += self._rng.normal(0, 0.5, (J, 2))
        score = np.full(J, 0.9 if is_there(place, self.stamp_ns) else 0.0)
        return Pose2D(xy, np.tile(np.eye(2), (J, 1, 1)), score)

    def _body(self, track: Track, hypotheses: int) -> Pose3D:
        x_m = (track.box.x_center - 160) / 60
        xyz = self._rng.normal((x_m, 0, 4), 0.3, (hypotheses, J, 3))
        covariance = np.tile(0.01 * np.eye(3), (J, 1, 1))
        weights = np.full(hypotheses, 1 / hypotheses)
        state = np.full(J, JointState.MEASURED, np.uint8)
        mean = xyz.mean(axis=0)
        body = ScaleSource.BODY_PRIOR
        return Pose3D(mean, covariance, covariance, covariance[0], xyz, weights, state, body)


class CrowdPipeline(PosePipeline):
    """The main path over the crowd; the time of the frame is told to the scene."""

    def __init__(self, config: PipelineConfig) -> None:
        self._crowd = Crowd()
        cpu = torch.device('cpu')
        super().__init__(config, self._crowd, self._crowd, self._crowd, 'crowd@0', cpu)

    def _advance(self, frame: Frame) -> list[str]:
        self._crowd.stamp_ns = frame.stamp_ns
        return super()._advance(frame)


if __name__ == '__main__':
    main(make_pipeline=CrowdPipeline)
