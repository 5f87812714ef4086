"""What scenes are put together from: people cut out by their bones, and empty backgrounds."""

from importlib.util import find_spec
from pathlib import Path

import cv2
from diffpose_ros.core.skeleton import POSETRACK_15
from diffpose_ros.data.frames import decode, Image, Picture
import numpy as np
from numpy.typing import NDArray

BONES = (*(bone for bone in POSETRACK_15.bones if 'nose' not in bone), ('neck', 'head_top'))
TORSO = ('r_shoulder', 'l_shoulder', 'l_hip', 'r_hip')

# Photographs without people that come with installed packages; each is used if it is there.
PHOTOGRAPHS = {
    'skimage': (
        'data/chelsea.png data/coffee.png data/coins.png data/motorcycle_left.png data/rocket.jpg'
        ' data/motorcycle_right.png data/hubble_deep_field.jpg data/brick.png data/grass.png'
        ' data/gravel.png data/retina.jpg data/page.png data/text.png data/clock_motion.png'
    ).split(),
    'sklearn': ['datasets/images/china.jpg', 'datasets/images/flower.jpg'],
}


def photographs() -> list[Image]:
    """Return the pictures without people that installed packages carry; there may be none."""
    found = []
    for package, names in PHOTOGRAPHS.items():
        spec = find_spec(package)
        folder = Path(spec.origin).parent if spec and spec.origin else Path('/nonexistent')
        paths = [folder / name for name in names if (folder / name).is_file()]
        found += [decode(path.read_bytes(), path.name) for path in paths]
    return found


def body_mask(picture: Picture) -> Image:
    """Return where the labelled person is, (H, W) 0 to 255, drawn around the bones, soft edge."""
    joints = picture.joints
    mask = np.zeros(picture.image.shape[:2], np.uint8)
    extent = np.ptp(picture.points, axis=0).max()
    lengths = [np.linalg.norm(joints[a] - joints[b]) for a, b in BONES if {a, b} <= set(joints)]
    width = float(np.clip(np.median(lengths), 0.1 * extent, 0.3 * extent))
    for a, b in BONES:
        if a in joints and b in joints:
            reach = joints[b] + (0.25 * (joints[b] - joints[a]) if is_end(b) else 0)
            thick = width * (1.0 if b == 'head_top' else 0.6)
            cv2.line(mask, pixel(joints[a]), pixel(reach), 255, max(2, round(thick)))
    torso = [pixel(joints[name]) for name in TORSO if name in joints]
    cv2.fillConvexPoly(mask, cv2.convexHull(np.array(torso or [(0, 0)], np.int32)), 255)
    return cv2.GaussianBlur(mask, (0, 0), 0.5 + 0.02 * extent)


def is_end(joint: str) -> bool:
    """Say whether a body part without a joint of its own lies beyond: hands and feet."""
    return joint.endswith(('wrist', 'ankle'))


def pixel(point: NDArray[np.floating]) -> tuple[int, int]:
    """Return the nearest pixel as OpenCV's drawing takes it."""
    return round(float(point[0])), round(float(point[1]))


def clutter(rng: np.random.Generator, width: int, height: int) -> Image:
    """Return a made-up background: smooth colours, boards, poles and discs, never a person."""
    coarse = rng.integers(0, 256, (rng.integers(2, 9), rng.integers(2, 9), 3)).astype(np.uint8)
    image = cv2.resize(coarse, (width, height), interpolation=int(rng.choice([1, 2])))
    for _ in range(rng.integers(0, 25)):
        colour = tuple(int(c) for c in rng.integers(0, 256, 3))
        a, b = (rng.uniform(-0.1, 1.1, 2) * (width, height) for _ in range(2))
        shape = rng.integers(4)
        if shape == 0:
            cv2.line(image, pixel(a), pixel(b), colour, int(rng.integers(1, 16)))
        elif shape == 1:
            cv2.line(image, pixel(a), (round(a[0]), round(b[1])), colour, int(rng.integers(2, 24)))
        elif shape == 2:
            cv2.rectangle(image, pixel(a), pixel(b), colour, int(rng.choice([-1, 2, 4])))
        else:
            cv2.ellipse(image, (pixel(a), pixel(abs(b - a) / 2), rng.uniform(0, 180)), colour, -1)
    return cv2.GaussianBlur(image, (0, 0), rng.uniform(0.3, 2))
