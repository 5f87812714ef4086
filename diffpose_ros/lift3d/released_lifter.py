"""
The published frame networks in the place of our own lifter: same inputs, same outputs.

They know one camera, that of Human3.6M, so rays are turned into its pictures; they look at the key
frame alone and know no missing joints, so these are put where their neighbours in the body are.

B windows, N hypotheses, J joints
"""

from collections.abc import Mapping

from diffpose_ros.core.checkpoint import Checkpoint
from diffpose_ros.core.skeleton import H36M_17
from diffpose_ros.lift3d.calibration import Calibration, Floats
from diffpose_ros.lift3d.folded import FoldedNetwork
from diffpose_ros.lift3d.lifter import checked_window, LiftedPose, to_numpy
from diffpose_ros.lift3d.model import in_metres
from diffpose_ros.lift3d.released import network_of, Preset, PRESETS, refine, STATE
import numpy as np
from numpy.typing import NDArray
import torch
from torch import Tensor

JOINTS = len(H36M_17.joints)
(HIP,) = H36M_17.index('hip')
UNITS_PER_RAY = 2.29  # u = 2 px / width with the 1145 px focal length and 1000 px of Human3.6M
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

    past, future, period_s = 0, 0, 1 / 50

    def __init__(
        self,
        tensors: Mapping[str, Mapping[str, Tensor]],
        preset: Preset,
        device: torch.device,
        seed: int = 0,
    ) -> None:
        networks = {
            kind: FoldedNetwork(network_of(tensors[kind])[1].to(device)) for kind in tensors
        }
        self._lifter, self._denoiser = networks['gcnpose'], networks['gcndiff']
        self._preset, self._device, self._seed = preset, device, seed

    @classmethod
    def from_checkpoint(
        cls, checkpoint: Checkpoint, device: torch.device, seed: int = 0
    ) -> 'ReleasedLifter':
        """Build the lifter of a checkpoint of kind lift3d_released."""
        tensors: dict[str, dict[str, Tensor]] = {'gcnpose': {}, 'gcndiff': {}}
        for name, value in checkpoint.tensors.items():
            kind, _, weight = name.partition('/')
            tensors.setdefault(kind, {})[weight] = value
        preset = PRESETS.get(checkpoint.config.get('preset', ''))
        if preset is None or len(tensors) != 2:
            raise ValueError(
                f'{checkpoint.model_id} is not as diffpose import writes it; import it again'
            )
        return cls(tensors, preset, device, seed)

    @torch.inference_mode()
    def lift(
        self,
        rays: Floats,
        covariance: Floats,
        score: Floats,
        present: NDArray[np.bool_],
        steps: int,
        hypotheses: int,
    ) -> LiftedPose:
        """Lift B windows of one frame, see Lifter.lift; steps takes the place of the preset's."""
        window = checked_window(rays, covariance, score, present, 1)
        seen = window.score[:, 0] > 0
        uv = fill_missing(UNITS_PER_RAY * window.rays[:, 0], seen)
        wide = UNSEEN**2 * np.eye(2)
        uv_covariance = np.where(
            seen[..., None, None], UNITS_PER_RAY**2 * window.covariance[:, 0], wide
        )
        state = self._first_state(self._tensor(uv))
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
        """Return u, v and the published lifter's pose, (B, J, 5)."""
        xyz = self._lifter(uv)
        # The published code subtracts the hip in place, which on a CPU leaves most joints as they
        # were; what it evidently means is done here.
        return torch.cat([uv, xyz - xyz[:, HIP, None]], dim=-1)

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
        covariance = Calibration.from_manifest(None).covariance(poses, spread, image)
        return LiftedPose(poses, poses.mean(axis=1), covariance)

    def _tensor(self, array: Floats) -> Tensor:
        return torch.from_numpy(np.ascontiguousarray(array, np.float32)).to(self._device)


def fill_missing(uv: Floats, seen: NDArray[np.bool_]) -> Floats:
    """Return uv with joints not seen (B, J) at the middle of their neighbours, outwards."""
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
