"""
The published networks in the place of our own lifter: same inputs, same outputs.

They know one camera, that of Human3.6M, so rays are turned into its pictures. They know no missing
joints, so these are put where their neighbours in the body are, and no missing frames: the video
network is given the nearest frame instead, as its authors do at the ends of a video. The frame
network and the denoiser see the key frame alone.

B windows, T slots, N hypotheses, J joints
"""

from collections.abc import Callable

from diffpose_ros.core.checkpoint import Checkpoint
from diffpose_ros.core.skeleton import H36M_17, HIP
from diffpose_ros.lift3d.calibration import Floats, HEIGHT_M, shape_covariance
from diffpose_ros.lift3d.folded import FoldedNetwork
from diffpose_ros.lift3d.graph import GraphNetwork
from diffpose_ros.lift3d.lifter import checked_window, LiftedPose, to_numpy, Window
from diffpose_ros.lift3d.mixste import MixSTE
from diffpose_ros.lift3d.model import in_metres
from diffpose_ros.lift3d.released import network_of, POSE_KINDS, Preset, PRESETS, refine, STATE
import numpy as np
from numpy.typing import NDArray
import torch
from torch import Tensor

JOINTS = len(H36M_17.joints)
UNITS_PER_RAY = 2.29  # u = 2 px / width with the 1145 px focal length and 1000 px of Human3.6M
VIDEO_BATCH = 4  # windows at once: each takes 0.3 GB of memory
UNSEEN = 0.1  # deviation of u, v of a joint that was not seen: about a limb's length
# Deviation per axis of what the published networks say: taken, not measured. On their own test
# set 0.03 m would do; people and cameras elsewhere differ more.
UNCALIBRATED_M = 0.05


class ReleasedLifter:
    """
    A checkpoint that `diffpose import` wrote, with the interface of Lifter.

    The presets as published begin without noise: every hypothesis is the same pose, computed once,
    and the covariance is the 2D estimate's, body size's and UNCALIBRATED_M. The preset `paper`
    draws N poses; that was never part of the published code.
    """

    period_s = 1 / 50
    height_m = HEIGHT_M

    def __init__(
        self,
        pose: GraphNetwork | MixSTE,
        denoiser: GraphNetwork,
        preset: Preset,
        device: torch.device,
        seed: int = 0,
    ) -> None:
        self._pose = _first_pose(pose.to(device))
        self._denoiser = FoldedNetwork(denoiser.to(device))
        self._preset, self._device, self._seed = preset, device, seed
        self.past = self.future = pose.frames // 2 if isinstance(pose, MixSTE) else 0

    @classmethod
    def from_checkpoint(
        cls, checkpoint: Checkpoint, device: torch.device, seed: int = 0
    ) -> 'ReleasedLifter':
        """Build the lifter of a checkpoint of kind lift3d_released."""
        tensors: dict[str, dict[str, Tensor]] = {}
        for name, value in checkpoint.tensors.items():
            kind, _, weight = name.partition('/')
            tensors.setdefault(kind, {})[weight] = value
        networks = dict(network_of(weights) for weights in tensors.values())
        poses = [network for kind, network in networks.items() if kind in POSE_KINDS]
        denoiser = networks.get('gcndiff')
        preset = PRESETS.get(checkpoint.config.get('preset', ''))
        if preset is None or len(poses) != 1 or not isinstance(denoiser, GraphNetwork):
            raise ValueError(
                f'{checkpoint.model_id} is not as diffpose import writes it; import it again'
            )
        return cls(poses[0], denoiser, preset, device, seed)

    @torch.inference_mode()
    def lift(self, window: Window, steps: int, hypotheses: int) -> LiftedPose:
        """Lift key frames, see Lifter.lift; steps takes the place of the preset's."""
        key = self.past
        window = checked_window(window, self.past + 1 + self.future)
        seen = window.score > 0
        there = window.present & seen.any(axis=2)
        uv = self._tensor(fill_frames(fill_missing(UNITS_PER_RAY * window.rays, seen), there))
        uv_covariance = np.where(
            seen[:, key, :, None, None],
            UNITS_PER_RAY**2 * window.covariance[:, key],
            UNSEEN**2 * np.eye(2),
        )
        state = self._first_state(uv)
        noise = self._noise(self._tensor(uv_covariance), hypotheses)
        if steps > 0:
            states = refine(self._denoiser, state, self._preset.end, steps, noise)
        else:
            states = state[:, None]
        poses = to_numpy(states[..., 2:] - states[:, :, HIP, None, 2:])
        image = to_numpy(in_metres(self._tensor(uv_covariance), state))
        poses = poses.repeat(hypotheses // poses.shape[1], axis=1)
        return self._distribution(poses, image)

    def _first_state(self, uv: Tensor) -> Tensor:
        """Return u, v of the key frame and the first pose of it, (B, J, 5)."""
        xyz = self._pose(uv)
        # The published code subtracts the hip in place, which on a CPU leaves most joints as they
        # were, and not at all for video; what it evidently means is done here.
        return torch.cat([uv[:, self.past], xyz - xyz[:, HIP, None]], dim=-1)

    def _noise(self, uv_covariance: Tensor, N: int) -> Tensor | None:
        """Return noise (B, N, J, 5): u, v as uncertain as they are, x, y, z of unit deviation."""
        if not self._preset.noisy:
            return None
        random = torch.Generator().manual_seed(self._seed)
        z = torch.randn(N, JOINTS, STATE, generator=random).to(self._device)
        deviation = uv_covariance.diagonal(dim1=-2, dim2=-1).sqrt()
        scale = torch.cat([deviation, torch.ones_like(uv_covariance[..., :1, 0])], dim=-1)
        return z * scale[:, None, :, [0, 1, 2, 2, 2]]

    def _distribution(self, poses: Floats, image: Floats) -> LiftedPose:
        spread = np.full((len(poses), JOINTS, 3), UNCALIBRATED_M)
        spread[:, HIP] = 0
        covariance = shape_covariance(np.ones(JOINTS), poses, spread, image)
        return LiftedPose(poses, poses.mean(axis=1), covariance)

    def _tensor(self, array: Floats) -> Tensor:
        return torch.from_numpy(np.ascontiguousarray(array, np.float32)).to(self._device)


def _first_pose(network: GraphNetwork | MixSTE) -> Callable[[Tensor], Tensor]:
    """Return the function from windows (B, T, J, 2) to poses of the key frame (B, J, 3)."""
    if isinstance(network, GraphNetwork):
        folded = FoldedNetwork(network)
        return lambda uv: folded(uv[:, 0])
    key = network.frames // 2
    mirror = torch.tensor(H36M_17.mirror)

    def averaged(uv: Tensor) -> Tensor:
        """Take the mean over picture and mirror image, as the published evaluation does."""
        mirrored = network(uv[:, :, mirror] * uv.new_tensor([-1, 1]))[:, key, mirror]
        return (network(uv)[:, key] + mirrored * uv.new_tensor([-1, 1, 1])) / 2

    return lambda uv: torch.cat([averaged(part) for part in uv.split(VIDEO_BATCH)])


def fill_missing(uv: Floats, seen: NDArray[np.bool_]) -> Floats:
    """Return uv with joints not seen (..., J) at the middle of their neighbours, outwards."""
    linked = np.zeros((JOINTS, JOINTS))
    for a, b in H36M_17.edges:
        linked[a, b] = linked[b, a] = 1
    known = seen.astype(float)
    uv = uv * known[..., None]
    while (reach := (known @ linked > 0) & (known == 0)).any():
        middle = linked @ uv / np.maximum(known @ linked, 1)[..., None]
        uv = np.where(reach[..., None], middle, uv)
        known = np.where(reach, 1.0, known)
    return uv


def fill_frames(uv: Floats, present: NDArray[np.bool_]) -> Floats:
    """Return uv (B, T, J, 2) with slots that are not present (B, T) as the nearest that is."""
    slots = np.arange(present.shape[1])
    distance = np.abs(slots[:, None] - slots) + len(slots) * ~present[:, None]
    nearest = distance.argmin(axis=2)
    return np.take_along_axis(uv, nearest[..., None, None], axis=1)
