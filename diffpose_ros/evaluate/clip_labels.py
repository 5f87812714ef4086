"""Videos with known joints, as demo/README.md describes their labels."""

import argparse
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from diffpose_ros.core.camera import Camera
from diffpose_ros.core.files import read_arrays
from diffpose_ros.core.people import Box, Frame
from diffpose_ros.core.skeleton import H36M_17
from diffpose_ros.offline.video import VideoReader
import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import interp1d

Floats = NDArray[np.floating]

J = len(H36M_17.joints)
LABELS = {
    'joints_px': f'numbers F [P] {J} 2',
    'joints_cam_m': f'numbers F [P] {J} 3',
    'K': 'numbers 3 3',
    'dist': 'numbers [N] D',
    'fps': 'numbers',
}


@dataclass(frozen=True)
class ClipLabels:
    """
    Truth of a video.

    joints_px  (F, P, 17, 2)  pixels
    joints_m   (F, P, 17, 3)  metres, camera's optical frame
    """

    joints_px: Floats
    joints_m: Floats
    K: Floats
    distortion: Floats
    fps: float


def add_clock_argument(parser: argparse.ArgumentParser) -> None:
    """Declare the option that tells read_labels what ahead_s is."""
    parser.add_argument(
        '--labels-ahead',
        type=float,
        default=0.0,
        metavar='SECONDS',
        help="by which the clock of a video's labels is ahead of its own",
    )


def read_labels(path: Path, ahead_s: float = 0.0) -> ClipLabels:
    """
    Read a label file as demo/README.md describes it; raise ValueError when it is none.

    ahead_s  by how much its clock is ahead of the video's: an image shows the people who were
             labelled that much before, interpolated; beyond the labels nobody is labelled
    """
    data = read_arrays(path, LABELS, {'joint_names': 'strings J'})
    if 'joint_names' in data and tuple(data['joint_names']) != H36M_17.joints:
        raise ValueError(f'{path} has joints {list(data["joint_names"])}; give H36M_17 order')
    px, metres, K, dist, fps = (data[name] for name in LABELS)
    if px.ndim == 3:  # one person
        px, metres = px[:, None], metres[:, None]
    if not len(px):
        raise ValueError(f'{path} labels no frame; give the labels of a video')
    if not 0 < fps < np.inf:
        raise ValueError(f'{path} has fps {fps}; give a number above 0')
    labelled = np.isfinite(px).all(axis=(2, 3))
    if not np.isfinite(metres[labelled]).all():
        raise ValueError(f'{path} has people in joints_px, not in joints_cam_m; give both or NaN')
    if not abs(ahead_s) * fps <= len(px) - 1:
        raise ValueError(
            f'labels {ahead_s:g} s ahead label no image; {path} holds {len(px) / fps:g} s'
        )
    if ahead_s:
        px, metres = (delayed(values, ahead_s * fps) for values in (px, metres))
    return ClipLabels(px, metres, K, dist.ravel(), float(fps))


def delayed(values: Floats, frames: float) -> Floats:
    """Return what values (F, ...) were so many frames ago, linear between them; else NaN."""
    number = np.arange(len(values))
    return interp1d(number, values, axis=0, bounds_error=False)(number - frames)


def labelled_frames(video: Path, labels: ClipLabels) -> Iterator[Frame]:
    """Yield the frames of a video for which there is truth; ValueError where some are missing."""
    for i, image in enumerate(VideoReader(video).labelled(len(labels.joints_px))):
        height, width = image.shape[:2]
        camera = Camera(labels.K, width, height, labels.distortion)
        boxes = boxes_around(labels.joints_px[i])
        yield Frame(image, round(i * 1e9 / labels.fps), camera, boxes=boxes)


def boxes_around(people: Floats) -> tuple[Box, ...]:
    """Return the boxes of those people (P, 17, 2) who are labelled."""
    return tuple(Box.around(joints) for joints in people if np.isfinite(joints).all())
