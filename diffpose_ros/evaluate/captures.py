"""
The lifter on captures with cameras of their own, in windows like those of the pipeline.

Where a capture is slower than the slots of a window, a frame may stand in two of them.

F frames of a capture, T slots, J joints of H36M_17
"""

import argparse
from collections.abc import Iterable, Iterator
from typing import Any

from diffpose_ros.core.skeleton import H36M_17
from diffpose_ros.data.cameras import look_at
from diffpose_ros.data.formats.captures import Capture
from diffpose_ros.evaluate.lifting import load_lifter, Metrics, report, TestWindows
from diffpose_ros.evaluate.mpjpe import HIP
from diffpose_ros.lift3d.lifter import PoseLifter, Window
import numpy as np
from numpy.typing import NDArray
import torch

Floats = NDArray[np.float64]

AT_ONCE = 1024  # windows; those of 243 frames take a quarter of a GB


def report_captures(
    args: argparse.Namespace,
    captures: Iterable[Capture],
    metrics: Metrics,
    error_px: float,
    more: dict[str, Any],
) -> None:
    """Evaluate the lifter of the options; see capture_windows and lifting.report."""
    lifter, model_id = load_lifter(args)
    parts = (
        windows
        for capture in captures
        for windows in capture_windows(
            capture, lifter, error_px, centred=args.centred, every=args.every
        )
    )
    report(args, lifter, parts, metrics, more | {'model': model_id})


def capture_windows(
    capture: Capture, lifter: PoseLifter, error_px: float, *, centred: bool, every: int
) -> Iterator[TestWindows]:
    """
    Yield windows of every n-th frame that counts; neighbours are the nearest frames in time.

    error_px  deviation of the 2D input that the lifter is told
    """
    keys = np.flatnonzero(capture.counted)[::every]
    for start in range(0, len(keys), AT_ONCE):
        yield _windows(capture, keys[start : start + AT_ONCE], lifter, error_px, centred)


def _windows(
    capture: Capture, key: NDArray[np.int_], lifter: PoseLifter, error_px: float, centred: bool
) -> TestWindows:
    slots = np.arange(-lifter.past, lifter.future + 1)
    frame = key[:, None] + np.round(slots * lifter.period_s * capture.fps).astype(int)
    present = (frame >= 0) & (frame < len(capture.pixels)) & (centred | (slots <= 0))
    frame = np.clip(frame, 0, len(capture.pixels) - 1)
    rays = capture.camera.rays(capture.pixels)
    turn = towards(rays[key])  # (F, 3, 3)
    seen = np.pad(rays[frame], [(0, 0)] * 3 + [(0, 1)], constant_values=1)
    seen = seen @ turn.swapaxes(1, 2)[:, None]
    deviation = error_px / capture.camera.K[0, 0]
    shape = (*frame.shape, len(H36M_17.joints))
    joints = capture.joints[key] - capture.joints[key][:, HIP, None]
    window = Window(
        seen[..., :2] / seen[..., 2:],
        np.broadcast_to(deviation**2 * np.eye(2), (*shape, 2, 2)),
        np.ones(shape),
        present,
    )
    return TestWindows(window, joints @ turn.swapaxes(1, 2), capture.group)


def towards(rays: Floats) -> Floats:
    """Return rotations (F, 3, 3) into the cameras that look at the middle of rays (F, J, 2)."""
    middle = (rays.min(axis=1) + rays.max(axis=1)) / 2
    return look_at(torch.from_numpy(middle).float()).double().numpy()
