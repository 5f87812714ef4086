"""Training windows for the lifter: motion through a random camera, estimated in 2D."""

from dataclasses import dataclass

from diffpose_ros.core.skeleton import HIP
from diffpose_ros.data.cameras import into_virtual_camera, look_at, middle, project
from diffpose_ros.data.mocap import Clips
from diffpose_ros.train.motion_sampler import MotionSampler
from diffpose_ros.train.noise2d import corrupt, Estimate2D
from diffpose_ros.train.random_cameras import random_views
import torch
from torch import Tensor
import torch.nn.functional as F


@dataclass(frozen=True)
class Windows:
    """
    What the lifter is given, and the truth. Virtual camera of the key frame.

    rays        (B, T, J, 2)     estimated, x / z and y / z
    covariance  (B, T, J, 2, 2)  the same units squared
    score       (B, T, J)        0 = missing
    present     (B, T)           which slots are filled
    truth       (B, T, J, 3)     metres, every frame relative to its own hip
    true_rays   (B, T, J, 2)     without error
    """

    rays: Tensor
    covariance: Tensor
    score: Tensor
    present: Tensor
    truth: Tensor
    true_rays: Tensor

    def to(self, device: torch.device) -> 'Windows':
        """Return the same on another device."""
        return Windows(*(value.to(device) for value in vars(self).values()))

    def padded(self, before: int, after: int) -> 'Windows':
        """Return the same with empty slots before and after."""
        return Windows(
            *(
                F.pad(value, (0, 0) * (value.ndim - 2) + (before, after))
                for value in vars(self).values()
            )
        )


class WindowSampler:
    """Draws windows without end, on the device of its generator."""

    def __init__(self, clips: Clips, past: int, future: int, generator: torch.Generator) -> None:
        self._clips, self._random = clips.to(generator.device), generator
        self._past, self._future = past, future

    def draw(self, B: int, kind: str) -> Windows:
        """Return B windows of a kind; what nobody fills is not computed."""
        past = 1 if kind == 'single' else self._past
        future = self._future if kind == 'centred' else 1
        with self._random.device:
            motion = MotionSampler(self._clips, past + 1 + future, past, self._random)
            windows = self._seen(*motion.draw(B, kind), past)
            return windows.padded(self._past - past, self._future - future)

    def _seen(self, joints: Tensor, present: Tensor, key: int) -> Windows:
        points = into_virtual_camera(random_views(joints, key, self._random), key)
        rays, before = project(points)
        height = (rays[:, key].amax(dim=1) - rays[:, key].amin(dim=1)).amax(dim=1)
        estimate = corrupt(rays, before, height, self._random)
        points, rays, estimate = aimed(points, rays, estimate, key)
        there = present[..., None]
        return Windows(
            torch.where(there[..., None], estimate.rays, 0.0),
            torch.where(there[..., None, None], estimate.covariance, 0.0),
            torch.where(there, estimate.score, 0.0),
            present,
            points - points[:, :, HIP, None],
            rays,
        )


def aimed(
    points: Tensor, rays: Tensor, estimate: Estimate2D, key: int
) -> tuple[Tensor, Tensor, Estimate2D]:
    """
    Turn the camera to the middle of the joints that the key frame tells, as Stage3D does.

    Where joints are missing that is not the middle of the person, so it must not tell where they
    are. Errors and covariances of the estimate stay as they are.

    points   (B, T, J, 3)  as the camera sees them
    rays     (B, T, J, 2)  their projections, without error
    returns  the three in the turned camera
    """
    aim = middle(estimate.rays[:, key], estimate.score[:, key] > 0)
    turned = points @ look_at(aim).transpose(1, 2)[:, None]
    there, before = project(turned)
    score = estimate.score * before
    moved = torch.where((score > 0)[..., None], there + estimate.rays - rays, 0.0)
    return turned, there, Estimate2D(moved, estimate.covariance, score)
