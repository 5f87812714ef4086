"""The lifter as the pipeline uses it: 2D windows in, poses as distributions out."""

from dataclasses import dataclass
from typing import NamedTuple, Protocol

from diffpose_ros.core.checkpoint import building, Checkpoint, restore
from diffpose_ros.core.people import check_shape
from diffpose_ros.core.replay import Replayed, slots_to_take
from diffpose_ros.lift3d.calibration import Calibration
from diffpose_ros.lift3d.model import JOINTS, LiftModel
from diffpose_ros.lift3d.observation import in_groups, observe
from diffpose_ros.lift3d.start import start_noise, start_of
import numpy as np
from numpy.typing import NDArray
import torch
from torch import Tensor

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class LiftedPose:
    """
    Poses relative to the hip in the virtual camera (x right, y down, z forward), metres.

    hypotheses  (B, N, J, 3)
    mean        (B, J, 3)
    covariance  (B, J, 3, 3)  metres squared, of a body of known size
    """

    hypotheses: Floats
    mean: Floats
    covariance: Floats


class Window(NamedTuple):
    """
    Windows of 2D poses, one per person.

    rays        (B, T, J, 2)     x / z and y / z in the key frame's virtual camera
    covariance  (B, T, J, 2, 2)  the same units squared
    score       (B, T, J)        0 to 1; 0 = missing
    present     (B, T)           which slots are filled; the key slot must be
    """

    rays: Floats
    covariance: Floats
    score: Floats
    present: NDArray[np.bool_]


class PoseLifter(Protocol):
    """
    What the pipeline needs of a lifter.

    past, future  slots of the window before and after the key frame
    period_s      distance of the slots
    height_m      of a person who is as large as the lifter makes everybody
    """

    past: int
    future: int
    period_s: float
    height_m: float

    def lift(self, window: Window, steps: int, hypotheses: int) -> LiftedPose:
        """Lift the key frames of windows, see Lifter.lift."""


class Lifter:
    """Lifts windows of 2D poses; the noise is drawn once, so equal windows give equal poses."""

    def __init__(
        self,
        model: LiftModel,
        calibration: Calibration,
        device: torch.device,
        seed: int = 0,
        start: str = 'mixture',
    ) -> None:
        model.mixture = start_of(model.mixture, start)
        self._model = model.to(device).eval()
        self._calibration, self._device, self._seed = calibration, device, seed
        self._answer = Replayed(self._networks)
        self._noise: dict[int, tuple[Tensor, Tensor]] = {}
        self.past = model.config.past
        self.future = model.config.future
        self.period_s = model.config.period_s
        self.height_m = calibration.height_m

    @classmethod
    def from_checkpoint(
        cls, checkpoint: Checkpoint, device: torch.device, seed: int = 0, start: str = 'mixture'
    ) -> 'Lifter':
        """Build the lifter of a checkpoint of kind lift3d; start: see start.start_of."""
        with building(checkpoint):
            model = LiftModel.from_config(checkpoint.config)
            restore(model, checkpoint)
            calibration = Calibration.from_manifest(checkpoint.extras.get('calibration'))
            return cls(model, calibration, device, seed, start)

    def lift(self, window: Window, steps: int, hypotheses: int) -> LiftedPose:
        """Lift the key frames, which stand at slot `past`."""
        window = checked_window(window, self.past + 1 + self.future)
        poses, spread, image = self._run(window, steps, hypotheses)
        covariance = self._calibration.covariance(poses, spread, image, steps)
        return LiftedPose(poses, poses.mean(axis=1), covariance)

    @torch.inference_mode()
    def _run(self, window: Window, steps: int, hypotheses: int) -> tuple[Floats, Floats, Floats]:
        """Return poses, predicted spread and error of the 2D estimate, see Calibration."""
        rays, covariance, score = (
            torch.from_numpy(np.ascontiguousarray(told, np.float32)) for told in window[:3]
        )
        present = torch.from_numpy(np.ascontiguousarray(window.present))
        groups = slots_to_take(in_groups(present), self._device)
        given = (x.to(self._device) for x in (rays, covariance, score, present, groups))
        found = self._answer(*given, *self._start(hypotheses), steps=steps)
        poses, spread, image = (to_numpy(tensor) for tensor in found)
        return poses, spread, image

    def _networks(
        self,
        rays: Tensor,
        covariance: Tensor,
        score: Tensor,
        present: Tensor,
        groups: Tensor,
        component: Tensor,
        z: Tensor,
        *,
        steps: int,
    ) -> tuple[Tensor, Tensor, Tensor]:
        observation = observe(rays, covariance, score, present, self.past, groups)
        states, context = self._model.hypotheses(observation, component, z, steps)
        image = self._model.image_covariance(observation, context)
        return states[..., 2:], context.spread, image

    def _start(self, hypotheses: int) -> tuple[Tensor, Tensor]:
        if hypotheses not in self._noise:
            self._noise[hypotheses] = start_noise(self._model.mixture, hypotheses, self._seed)
        return self._noise[hypotheses]


def checked_window(window: Window, T: int) -> Window:
    """Return windows with zeros where nothing is told; raise ValueError for another shape."""
    rays, covariance, score, present = window
    check_shape('rays', rays, (None, T, JOINTS, 2))
    check_shape('covariance', covariance, (len(rays), T, JOINTS, 2, 2))
    check_shape('score', score, (len(rays), T, JOINTS))
    check_shape('present', present, (len(rays), T))
    told = (score > 0) & present[..., None]
    return Window(
        np.where(told[..., None], rays, 0),
        np.where(told[..., None, None], covariance, 0),
        np.where(told, score, 0),
        present,
    )


def to_numpy(tensor: Tensor) -> Floats:
    """Return the values as float64."""
    return tensor.double().cpu().numpy()
