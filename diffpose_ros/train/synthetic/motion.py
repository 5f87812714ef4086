"""Motion capture for bodies: clips at any time, mirrored, turned, standing on the floor."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from diffpose_ros.core.skeleton import H36M_17
from diffpose_ros.train.synthetic.bodies import Body
import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.ndimage import gaussian_filter1d

Floats = NDArray[np.floating]

STANCE_M = 0.012  # points this far above the lowest one count a third


@dataclass(frozen=True)
class Motion:
    """A clip of captured joints: (F, 17, 3) metres, H36M_17, world with y up; frames a second."""

    name: str
    joints: Floats
    fps: float

    @property
    def duration_s(self) -> float:
        return (len(self.joints) - 1) / self.fps

    def at(self, times_s: Floats) -> Floats:
        """Return the joints (n, 17, 3) at any times, linear between frames."""
        frame = np.clip(np.asarray(times_s) * self.fps, 0, len(self.joints) - 1)
        before = np.minimum(frame.astype(int), len(self.joints) - 2)
        share = (frame - before)[:, None, None]
        return self.joints[before] * (1 - share) + self.joints[before + 1] * share


def load_motions(*files: Path) -> list[Motion]:
    """Read the clips of .npz files (joints_root_relative_m, root_m, clip_lengths, clip_names)."""
    return [motion for file in files for motion in _clips(file)]


def mirror(joints: Floats) -> Floats:
    """Exchange left and right of joints (..., 17, 3)."""
    return joints[..., H36M_17.mirror, :] * [-1, 1, 1]


def turn(joints: Floats, yaw_rad: Floats | float) -> Floats:
    """Turn joints (F, 17, 3) about the vertical through the world's origin, by yaw (F,) or one."""
    c, s = np.broadcast_arrays(np.cos(yaw_rad), np.sin(yaw_rad))
    zero, one = np.zeros_like(c), np.ones_like(c)
    matrix = np.stack([c, zero, s, zero, one, zero, -s, zero, c], -1).reshape(*c.shape, 3, 3)
    return np.einsum('...ij,...kj->...ki', matrix, joints)


def heading(joints: Floats) -> Floats:
    """Return the direction (F,) that the hips face, radians, 0 = z, unwrapped over time."""
    across = joints[:, H36M_17.joints.index('l_hip')] - joints[:, H36M_17.joints.index('r_hip')]
    forward = np.cross(across, [0.0, 1.0, 0.0])
    return np.unwrap(np.arctan2(forward[:, 0], forward[:, 2]))


def straight(joints: Floats) -> Floats:
    """Return root-relative joints (F, 17, 3) that always face along z."""
    relative = joints - joints[:, :1]
    return turn(relative, -gaussian_filter1d(heading(joints), 8, mode='nearest'))


def looped(joints: Floats, period: int, frames: int) -> Floats:
    """
    Repeat a cyclic motion, such as steps, without a seam.

    joints   (F, 17, 3)  root-relative, facing z
    period   least number of frames of the cycle
    returns  (frames, 17, 3)
    """
    distance = np.linalg.norm(joints[:, None] - joints[None], axis=-1).mean(-1)
    distance[:-1, :-1] += distance[1:, 1:]  # the next frame must fit too
    late = np.arange(len(joints))[None] - np.arange(len(joints))[:, None] >= period
    start, end = np.unravel_index(
        np.where(late, distance, np.inf)[:-1, :-1].argmin(), late[:-1, :-1].shape
    )
    share = np.linspace(0, 1, end - start, endpoint=False)[:, None, None]
    cycle = joints[start:end] + share * (joints[start] - joints[end])
    return np.tile(cycle, (frames // len(cycle) + 1, 1, 1))[:frames]


def joined(first: Floats, second: Floats, overlap: int) -> Floats:
    """Fade root-relative joints of one clip into those of the next over some frames."""
    share = np.linspace(0, 1, overlap + 2)[1:-1, None, None]
    fade = first[-overlap:] * (1 - share) + second[:overlap] * share
    return np.concatenate([first[:-overlap], fade, second[overlap:]])


def sole(body: Body, count: int = 60) -> NDArray[np.integer]:
    """Return vertices spread under both feet."""
    skin = np.unique(body.faces['body'])
    height = body.vertices[skin, 1]
    return np.random.default_rng(0).permutation(skin[height < height.min() + 0.012])[:count]


def surface(body: Body, count: int = 400) -> NDArray[np.integer]:
    """Return vertices spread over the whole skin."""
    return np.random.default_rng(0).permutation(np.unique(body.faces['body']))[:count]


def moved(pose: Floats, shift: ArrayLike) -> Floats:
    """Shift poses (F, Q, 3, 4) in the world by (F, 3) or (3,)."""
    result = pose.copy()
    result[..., 3] += np.asarray(shift)[..., None, :]
    return result


def on_floor(body: Body, pose: Floats) -> Floats:
    """Lower or raise a whole clip (F, Q, 3, 4) so that its lowest moment touches y = 0."""
    lowest = body.skin(pose, surface(body))[..., 1].min()
    return moved(pose, np.array([0, -lowest, 0]))


def walk(body: Body, pose: Floats, smooth_frames: float = 1.0) -> Floats:
    """
    Move a clip (F, Q, 3, 4) over the floor y = 0 as its feet push it: standing feet do not slide.

    The first frame stands over the origin.
    """
    points = body.skin(pose, sole(body))  # (F, n, 3)
    height = points[..., 1] - points[..., 1].min(1, keepdims=True)
    weight = np.exp(-(height[1:] + height[:-1]) / STANCE_M)
    step = (np.diff(points, axis=0) * weight[..., None]).sum(1) / weight.sum(1)[:, None]
    shift = np.zeros((len(pose), 3))
    shift[1:] = -np.cumsum(step, axis=0)
    shift[:, 1] = -points[..., 1].min(1)
    shift -= [1, 0, 1] * (shift[0] + body.skin(pose[0], sole(body)).mean(0))
    path = shift + points.mean(1)
    slow = gaussian_filter1d(path, smooth_frames, axis=0) - path
    return moved(pose, shift + slow * [1, 0, 1])


def _clips(file: Path) -> Sequence[Motion]:
    with np.load(file) as data:
        joints = data['joints_root_relative_m'].astype(np.float64) + data['root_m'][:, None]
        ends = np.cumsum(data['clip_lengths'])
        parts = np.split(joints, ends[:-1])
        names = data['clip_names'].tolist()
        fps = float(data['fps'])
    return [Motion(name, part, fps) for name, part in zip(names, parts, strict=True)]
