"""Write a rendered clip: video, calibration and truth."""

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
from diffpose_ros.offline.video import h264
import numpy as np
from numpy.typing import NDArray
import yaml

Floats = NDArray[np.floating]


def write_video(path: Path, frames: Sequence[NDArray[np.uint8]], fps: float) -> None:
    """Write RGB frames of even size as a small H.264 file of constant frame rate."""
    height, width = frames[0].shape[:2]
    encoder = {'crf': '24', 'preset': 'slow'}
    container, stream = h264(path, width, height, Fraction(fps), encoder)
    with container:
        for pixels in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format='rgb24')))
        container.mux(stream.encode(None))


def write_calibration(path: Path, K: Floats, width: int, height: int) -> None:
    """Write the YAML file of ROS' camera_calibration for a rectified camera."""
    P = np.column_stack([K, np.zeros(3)])
    content = {
        'image_width': width,
        'image_height': height,
        'camera_name': path.stem,
        'camera_matrix': matrix(K),
        'distortion_model': 'plumb_bob',
        'distortion_coefficients': matrix(np.zeros((1, 5))),
        'rectification_matrix': matrix(np.eye(3)),
        'projection_matrix': matrix(P),
    }
    path.write_text(yaml.safe_dump(content, sort_keys=False, default_flow_style=None))


def matrix(values: Floats) -> dict[str, object]:
    """Return a matrix as ROS' YAML files spell it."""
    rows, cols = values.shape
    return {'rows': rows, 'cols': cols, 'data': [float(v) for v in values.ravel()]}
