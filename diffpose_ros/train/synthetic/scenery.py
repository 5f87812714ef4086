"""Where people stand: floors, walls, boxes and their textures."""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.floating]
Picture = NDArray[np.uint8]


@dataclass(frozen=True)
class Solid:
    """Triangles: points (n, 3) metres, unit normals (n, 3), texture coordinates (n, 2)."""

    points: Floats
    normals: Floats
    uv: Floats


def joined(solids: Sequence[Solid]) -> Solid:
    """Put several solids into one."""
    return Solid(*(np.concatenate([getattr(s, f) for s in solids]) for f in Solid.__annotations__))


def quad(corner: ArrayLike, u: ArrayLike, v: ArrayLike, repeat_per_m: float) -> Solid:
    """Return the rectangle corner, corner + u, corner + u + v, corner + v."""
    start, across, along = (np.asarray(x, np.float64) for x in (corner, u, v))
    square = np.array([[0, 0], [1, 0], [1, 1], [0, 0], [1, 1], [0, 1]], np.float64)
    normal = np.cross(across, along)
    return Solid(
        start + square @ np.stack([across, along]),
        np.tile(normal / np.linalg.norm(normal), (6, 1)),
        square * repeat_per_m * [np.linalg.norm(across), np.linalg.norm(along)],
    )


def floor(centre: Floats, half_m: float, repeat_per_m: float) -> Solid:
    """Return a horizontal square; its height is the centre's."""
    corner = np.asarray(centre) + np.array([-half_m, 0, half_m])
    return quad(corner, [2 * half_m, 0, 0], [0, 0, -2 * half_m], repeat_per_m)


def walls(centre: Floats, half_m: Floats, height_m: float, repeat_per_m: float) -> Solid:
    """Return four walls around a floor's centre, half_m (2,) away along x and z."""
    x, z = half_m
    corners = np.array([[-x, 0, -z], [x, 0, -z], [x, 0, z], [-x, 0, z]]) + centre
    ways = np.roll(corners, -1, axis=0) - corners
    up = [0, -height_m, 0]
    top = [0, height_m, 0]
    pairs = zip(corners, ways, strict=True)
    return joined([quad(c + top, way, up, repeat_per_m) for c, way in pairs])


def box(centre: Floats, size: Floats, yaw_rad: float, repeat_per_m: float) -> Solid:
    """Return a box standing on its centre's height, turned about the vertical."""
    w, h, d = size
    c, s = np.cos(yaw_rad), np.sin(yaw_rad)
    turn = np.array([[c, 0, s], [0, 1, 0], [-s, 0, c]])
    x, y, z = [w, 0, 0], [0, h, 0], [0, 0, d]
    p, q = np.array([-w / 2, 0, -d / 2]), np.array([w / 2, h, d / 2])
    faces = [quad(p, y, x, repeat_per_m), quad(p, z, y, repeat_per_m)]
    faces += [quad(q, -np.array(x), -np.array(y), repeat_per_m)]
    faces += [quad(q, -np.array(y), -np.array(z), repeat_per_m)]
    faces += [quad(q, -np.array(z), -np.array(x), repeat_per_m)]
    whole = joined(faces)
    return Solid(whole.points @ turn.T + centre, whole.normals @ turn.T, whole.uv)


def smooth_noise(size: int, rng: np.random.Generator, octaves: int = 5) -> Picture:
    """Return three channels of cloudy noise that repeats seamlessly, mean 128."""
    total = np.zeros((size, size, 3))
    for octave in range(octaves):
        coarse = rng.normal(0, 0.6**octave, (4 << octave, 4 << octave, 3))
        wide = cv2.resize(np.tile(coarse, (3, 3, 1)), (3 * size, 3 * size),
                          interpolation=cv2.INTER_CUBIC)  # fmt: skip
        total += wide[size : 2 * size, size : 2 * size]
    return np.clip(128 + 50 * total / total.std(), 0, 255).astype(np.uint8)


def boards(a: Floats, b: Floats, rng: np.random.Generator, size: int = 256) -> Picture:
    """Return wooden boards between two colours (0 to 1)."""
    y, x = np.mgrid[:size, :size] / size
    board = np.floor(x * 6).astype(int)
    shade = rng.random(6)[board]
    grain = np.sin(60 * x + 4 * np.sin(5 * y + 9 * shade) + 20 * shade) * 0.5 + 0.5
    mix = np.clip(0.6 * shade + 0.4 * grain, 0, 1)[..., None]
    gap = ((x * 6) % 1 < 0.03)[..., None]
    return np.clip(255 * (a + (b - a) * mix) * (1 - 0.6 * gap), 0, 255).astype(np.uint8)


def tiles(a: Floats, b: Floats, rng: np.random.Generator, size: int = 256) -> Picture:
    """Return square tiles of two colours with joints."""
    y, x = np.mgrid[:size, :size] / size
    odd = (np.floor(x * 4) + np.floor(y * 4)) % 2
    joint = (((x * 4) % 1 < 0.04) | ((y * 4) % 1 < 0.04))[..., None]
    cloudy = smooth_noise(size, rng)[..., :1] / 255.0 - 0.5
    colour = a + (b - a) * odd[..., None] + 0.15 * cloudy
    return np.clip(255 * np.where(joint, 0.55 * (a + b) / 2, colour), 0, 255).astype(np.uint8)


def plaster(a: Floats, rng: np.random.Generator, size: int = 256) -> Picture:
    """Return a painted wall, carpet or concrete of one colour."""
    cloudy = smooth_noise(size, rng) / 255.0 - 0.5
    cloudy = 0.8 * cloudy[..., :1] + 0.2 * cloudy
    fine = rng.normal(0, 0.03, (size, size, 1))
    strength = rng.uniform(0.05, 0.3)
    return np.clip(255 * (a + strength * cloudy + fine), 0, 255).astype(np.uint8)
