"""Cameras and light: where a scene is seen from and what shines on it; world y up, metres."""

from dataclasses import dataclass, replace

from diffpose_ros.train.synthetic.retarget import unit
import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating]

NEAR_M, FAR_M = 0.15, 80.0
ASIDE_M, APART_M = (0.15, 0.55), (0.35, 0.8)  # of people close by: to the side, before or behind
BEFORE = 0.7  # of them stand between the other and the camera


@dataclass(frozen=True)
class View:
    """
    A pinhole camera somewhere in the world.

    K         (3, 3)  pixels, centres at integers
    rotation  (3, 3)  world to camera
    position  (3,)    of the camera in the world, metres
    """

    K: Floats
    rotation: Floats
    position: Floats
    width: int
    height: int

    def to_camera(self, points: Floats) -> Floats:
        """Turn world points (..., 3) into the camera's optical frame."""
        return (points - self.position) @ self.rotation.T

    def project(self, points: Floats) -> Floats:
        """Turn world points (..., 3) into pixels (..., 2)."""
        homogeneous = self.to_camera(points) @ self.K.T
        return homogeneous[..., :2] / homogeneous[..., 2:]

    def clip_matrix(self) -> Floats:
        """Return the matrix to OpenGL's clip space; picture rows come out top first."""
        K, w, h = self.K, self.width, self.height
        depth = (FAR_M + NEAR_M) / (FAR_M - NEAR_M)
        lens = np.array(
            [
                [2 * K[0, 0] / w, 2 * K[0, 1] / w, (2 * K[0, 2] + 1) / w - 1, 0],
                [0, 2 * K[1, 1] / h, (2 * K[1, 2] + 1) / h - 1, 0],
                [0, 0, depth, -2 * FAR_M * NEAR_M / (FAR_M - NEAR_M)],
                [0, 0, 1, 0],
            ]
        )
        pose = np.eye(4)
        pose[:3] = np.column_stack([self.rotation, -self.rotation @ self.position])
        return lens @ pose


@dataclass(frozen=True)
class Light:
    """Sun or lamp and what comes from everywhere; linear RGB, about 0 to 3."""

    to_light: Floats  # unit vector in the world
    colour: Floats
    sky: Floats
    ground: Floats


def look_from(position: Floats, target: Floats, roll_rad: float = 0.0) -> Floats:
    """
    Return the rotation (3, 3) from the world to a camera that looks at a point.

    roll_rad  turn about the optical axis; without it the world's up is up in the picture
    """
    z = unit(np.asarray(target, np.float64) - position)
    x = unit(np.cross(z, [0.0, 1.0, 0.0]))
    upright = np.stack([x, np.cross(z, x), z])
    c, s = np.cos(roll_rad), np.sin(roll_rad)
    return np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]]) @ upright


def window(view: View, left: float, top: float, scale: float, width: int, height: int) -> View:
    """Return the view that shows a rectangle of this one, scale of its pixels per new pixel."""
    to_new = np.array([[1, 0, 0.5 - left], [0, 1, 0.5 - top], [0, 0, 1]])
    K = np.diag([1 / scale, 1 / scale, 1]) @ to_new @ view.K - [[0, 0, 0.5], [0, 0, 0.5], [0] * 3]
    return replace(view, K=K, width=width, height=height)


def sample_close_place(target: Floats, eye: Floats, rng: np.random.Generator) -> Floats:
    """
    Draw where somebody stands who partly hides, or is hidden by, whoever stands at the target.

    target, eye  (3,)  person and camera
    returns      (3,)  at the target's height
    """
    ahead = unit((eye - target) * [1, 0, 1])
    aside = np.cross(ahead, [0.0, 1.0, 0.0]) * rng.choice([-1, 1])
    apart = rng.uniform(*APART_M) * (1 if rng.random() < BEFORE else -1)
    return target + apart * ahead + rng.uniform(*ASIDE_M) * aside


def sample_light(rng: np.random.Generator) -> Light:
    """Draw a light: sun or lamp, high or low, warm or cold, bright or dark."""
    height = rng.uniform(0.35, 1.4)
    around = rng.uniform(-np.pi, np.pi)
    to_light = np.array([np.sin(around) * np.cos(height), np.sin(height),
                         np.cos(around) * np.cos(height)])  # fmt: skip
    warm = rng.normal(0, 0.12) * np.array([1, 0, -1])
    exposure = np.exp(rng.normal(-0.05, 0.32))
    direct = rng.uniform(0.1, 1.0)
    sky = (1.15 - 0.8 * direct) * exposure * (1 + rng.normal(0, 0.08) * np.array([-1, 0, 1]))
    return Light(
        to_light=to_light,
        colour=2.0 * direct * exposure * (1 + warm),
        sky=0.85 * sky,
        ground=rng.uniform(0.25, 0.6) * sky * np.array([1.05, 1, 0.92]),
    )
