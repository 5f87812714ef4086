"""
`diffpose evaluate mocap`: the lifter on motion capture seen by random cameras.

Every second of a clip is filmed by a camera of its own, drawn from seed 0. The 2D input is the
exact projection, or that with Gaussian noise, which the lifter is then told.
"""

import argparse
from dataclasses import dataclass
import json
import logging
import math
from pathlib import Path
import time
from typing import Any

from diffpose_ros.core.checkpoint import load_checkpoint
from diffpose_ros.core.skeleton import H36M_17
from diffpose_ros.evaluate.coverage import coverage, plot_reliability
from diffpose_ros.evaluate.mpjpe import summary
from diffpose_ros.lift3d.lifter import Lifter
from diffpose_ros.train.cameras import into_virtual_camera, orientation, project
from diffpose_ros.train.mocap import Clips, cut_windows, load_clips
from diffpose_ros.train.noise2d import PCK_RADIUS
import numpy as np
from numpy.typing import NDArray
import torch
from torch import Tensor

log = logging.getLogger(__name__)

(HIP,) = H36M_17.index('hip')
TALL_PX = 250  # height of the person in pixels, to which --noise-px refers
STATURE = ('head_top', 'nose', 'thorax', 'hip', 'r_knee', 'r_ankle')
BATCH = 256


@dataclass(frozen=True)
class TestWindows:
    """
    Windows of 2D input and the true key poses, F frames; see Lifter.lift.

    truth  (F, J, 3)  metres, relative to the hip, virtual camera
    """

    rays: NDArray[np.float64]
    covariance: NDArray[np.float64]
    score: NDArray[np.float64]
    present: NDArray[np.bool_]
    truth: NDArray[np.float64]


def film(clips: Clips, lifter: Lifter, noise_px: float, *, centred: bool) -> TestWindows:
    """Return a window for every frame of the clips."""
    random = torch.Generator().manual_seed(0)
    F = len(clips.joints)
    slots = torch.arange(-lifter.past, lifter.future + 1)
    joints, root, inside = cut_windows(clips, torch.arange(F), slots.expand(F, -1).float())
    present = inside & (centred | (slots <= 0))
    points = into_virtual_camera(
        _filmed(joints + root[:, :, None], clips, random), lifter.past, torch.zeros(F, 2)
    )
    rays, _ = project(points)
    stature, depth = _stature(joints[:, lifter.past]), points[:, lifter.past, HIP, 2]
    deviation = noise_px / TALL_PX * stature / depth
    noise = deviation[:, None, None, None] * torch.randn(rays.shape, generator=random)
    variance = deviation.square()[:, None, None, None, None] * torch.eye(2)
    sure = torch.full((F,), pck_probability(noise_px / TALL_PX))
    shape = rays.shape[:3]
    truth = points[:, lifter.past] - points[:, lifter.past, HIP, None]
    return TestWindows(
        (rays + noise).double().numpy(),
        variance.expand(*shape, 2, 2).double().numpy(),
        sure[:, None, None].expand(shape).double().numpy(),
        present.numpy(),
        truth.double().numpy(),
    )


def _filmed(points: Tensor, clips: Clips, random: torch.Generator) -> Tensor:
    """Return the points (F, T, J, 3) as the camera of the key frame's second sees them."""
    frame = torch.arange(len(points))
    camera = ((frame - clips.first) % clips.fps == 0).cumsum(dim=0) - 1
    n = int(camera[-1]) + 1
    yaw = 2 * math.pi * torch.rand(n, generator=random)
    pitch = 0.15 + 0.2 * torch.randn(n, generator=random)
    roll = 0.1 * torch.randn(n, generator=random)
    distance = torch.exp(torch.rand(n, generator=random) * math.log(4)) * 2  # 2 to 8 m
    turn = orientation(yaw, pitch, roll)[camera]
    away = torch.nn.functional.pad(distance[camera, None], (2, 0))
    return points @ turn.transpose(1, 2)[:, None] + away[:, None, None]


def _stature(joints: Tensor) -> Tensor:
    """Return the heights (F,) of the people in metres: the bones from ankle to head."""
    chain = joints[:, H36M_17.index(*STATURE)]
    return (chain[:, 1:] - chain[:, :-1]).norm(dim=-1).sum(dim=1)


def pck_probability(deviation: float) -> float:
    """Return how likely Gaussian noise of this deviation, in heights, stays within the radius."""
    return 1 - math.exp(-(PCK_RADIUS**2) / (2 * max(deviation**2, 1e-8)))


def evaluate(
    lifter: Lifter, windows: TestWindows, steps: int, hypotheses: int, plot: Path | None = None
) -> dict[str, Any]:
    """Return the metrics over all windows; draw the reliability if a path is given."""
    mean, covariance = lift_all(lifter, windows, steps, hypotheses)
    if plot is not None:
        plot_reliability(plot, mean, covariance, windows.truth)
    return {
        **summary(mean, windows.truth),
        **coverage(mean, covariance, windows.truth),
        'frames': len(mean),
        'steps': steps,
        'hypotheses': hypotheses,
        'ms_per_frame': _ms_per_frame(lifter, windows, steps, hypotheses),
    }


def lift_all(
    lifter: Lifter, windows: TestWindows, steps: int, hypotheses: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return mean (F, J, 3) and covariance (F, J, 3, 3) of all windows."""
    means, covariances = [], []
    for i in range(0, len(windows.rays), BATCH):
        pose = lifter.lift(*_part(windows, slice(i, i + BATCH)), steps, hypotheses)
        means.append(pose.mean)
        covariances.append(pose.covariance)
    return np.concatenate(means), np.concatenate(covariances)


def _part(windows: TestWindows, part: slice) -> tuple[NDArray[Any], ...]:
    return (
        windows.rays[part],
        windows.covariance[part],
        windows.score[part],
        windows.present[part],
    )


def _ms_per_frame(lifter: Lifter, windows: TestWindows, steps: int, hypotheses: int) -> float:
    """Return the median time of lifting one person."""
    times = []
    for i in range(min(20, len(windows.rays))):
        began = time.perf_counter()
        lifter.lift(*_part(windows, slice(i, i + 1)), steps, hypotheses)
        times.append(time.perf_counter() - began)
    return 1000 * float(np.median(times))


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `diffpose evaluate mocap`."""
    parser.add_argument('--data', type=Path, required=True, help='mocap file (npz)')
    parser.add_argument('--out', type=Path, required=True, help='JSON file to write')
    parser.add_argument('--checkpoint', default='lift3d_default', help='name or .safetensors file')
    parser.add_argument('--steps', type=int, default=2, help='0 = the context encoder alone')
    parser.add_argument('--hypotheses', type=int, default=5)
    parser.add_argument('--noise-px', type=float, default=0.0, help='2D noise at 250 px height')
    parser.add_argument('--centred', action='store_true', help='use the frames after the key too')
    parser.add_argument('--plot', type=Path, help='PNG file for the reliability diagram')
    parser.add_argument('--device', default='cpu')


def run(args: argparse.Namespace) -> int:
    """Evaluate as the options say."""
    checkpoint = load_checkpoint(args.checkpoint, 'lift3d')
    lifter = Lifter.from_checkpoint(checkpoint, torch.device(args.device))
    windows = film(load_clips(args.data), lifter, args.noise_px, centred=args.centred)
    result = evaluate(lifter, windows, args.steps, args.hypotheses, args.plot)
    result |= {'noise_px': args.noise_px, 'centred': args.centred, 'model': checkpoint.model_id}
    args.out.parent.mkdir(parents=True, exist_ok=True)
    args.out.write_text(json.dumps(result, indent=2) + '\n')
    log.info('%s', result)
    return 0
