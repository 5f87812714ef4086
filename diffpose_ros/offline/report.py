"""A recording as one HTML file that needs nothing else: film, people in space, paths, latency."""

import base64
from collections.abc import Iterable
from itertools import chain, islice
import json
from pathlib import Path
import tempfile
from typing import Any

import cv2
from diffpose_ros.core.clip import NANOSECONDS
from diffpose_ros.core.files import write_atomically
from diffpose_ros.core.people import Person, Pose3D
from diffpose_ros.offline.draw import draw_overlay, Moment
from diffpose_ros.offline.plot3d import clarity
from diffpose_ros.offline.recording import RecordedFrame, Recording
from diffpose_ros.offline.video import MIN_SIDE, VideoWriter
import numpy as np
from numpy.typing import NDArray

TEMPLATE = Path(__file__).with_name('report.html')
MAX_IMAGES = 1800  # one minute at 30 Hz is some 10 MB
FILM_WIDTH = 640
UPPER = np.triu_indices(3)


def write_report(path: Path, recording: Recording, moments: Iterable[Moment] | None) -> None:
    """
    Write the report of the first MAX_IMAGES images of a recording.

    moments  the images and who is in them, None where the recording holds no images
    raises   ValueError when the recording is empty
    """
    if not recording.frames:
        raise ValueError('the recording holds no skeletons; give what diffpose bag or demo wrote')
    frames = recording.frames[:MAX_IMAGES]
    data = {
        'title': f'{path.stem}: {len(frames)} of {len(recording.frames)} images',
        'about': f'{recording.skeleton.name}, networks {frames[0].result.info.model_id}',
        'joints': recording.skeleton.joints,
        'edges': recording.skeleton.edges,
        'best': max(range(len(frames)), key=lambda i: clarity(frames[i].result.people)),
        'frames': [_frame(frame, frames[0].result.stamp_ns) for frame in frames],
        'video': None if moments is None else _film(moments, recording),
    }
    text = json.dumps(data, separators=(',', ':'), allow_nan=False).replace('<', '\\u003c')
    write_atomically(path, TEMPLATE.read_text().replace('__DATA__', text, 1).encode())


def _film(moments: Iterable[Moment], recording: Recording) -> str | None:
    """Return the overlay as a data URI; None when there is no image."""
    drawn = (
        (time_s, _shrink(draw_overlay(image, people, recording.skeleton)))
        for time_s, image, people in islice(moments, MAX_IMAGES)
    )
    first = next(drawn, None)
    if first is None:
        return None
    height, width = first[1].shape[:2]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / 'film.mp4'
        with VideoWriter(path, width, height) as writer:
            for time_s, image in chain([first], drawn):
                writer.write(time_s, image)
        return f'data:video/mp4;base64,{base64.b64encode(path.read_bytes()).decode()}'


def _shrink(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    height, width = image.shape[:2]
    scale = min(1.0, FILM_WIDTH / width)
    size = (max(MIN_SIDE, round(width * scale)), max(MIN_SIDE, round(height * scale)))
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)


def _frame(frame: RecordedFrame, start_ns: int) -> dict[str, Any]:
    total_ms = frame.stages_ms.get('total')
    return {
        't': round((frame.result.stamp_ns - start_ns) / NANOSECONDS, 4),
        'ms': None if total_ms is None else round(total_ms, 2),
        'people': [_person(p, p.pose3d) for p in frame.result.people if p.pose3d],
    }


def _person(person: Person, pose: Pose3D) -> dict[str, Any]:
    """Return a person in metres: shape is the covariance against the body, xx xy xz yy yz zz."""
    variance = np.diagonal(pose.covariance, axis1=1, axis2=2)
    shape = np.nan_to_num(pose.relative_covariance)
    return {
        'id': person.track_id,
        'xyz': _rows(pose.xyz, 3),
        'sd': _rows(np.sqrt(variance), 3),
        'shape': _rows(shape[:, UPPER[0], UPPER[1]], 6),
        'state': pose.state.tolist(),
    }


def _rows(values: NDArray[np.floating], digits: int) -> list[list[float] | None]:
    """Return one list per joint, None where a number is missing."""
    finite = np.isfinite(values).all(axis=1)
    rounded = np.round(values, digits).tolist()
    return [row if known else None for row, known in zip(rounded, finite, strict=True)]
