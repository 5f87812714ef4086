"""
`diffpose evaluate mocap`: the lifter on motion capture seen by random cameras.

Every second of a clip is filmed by a camera of its own, drawn from seed 0. The 2D input is the
exact projection, or that with Gaussian noise, which the lifter is then told.
"""

import argparse
import math
from pathlib import Path

from diffpose_ros.core.skeleton import H36M_17
from diffpose_ros.data.cameras import into_virtual_camera, orientation, project
from diffpose_ros.data.mocap import Clips, cut_windows, load_clips, PCK_RADIUS
from diffpose_ros.evaluate.lifting import add_lifter_arguments, load_lifter, report, TestWindows
from diffpose_ros.evaluate.mpjpe import HIP, summary
from diffpose_ros.lift3d.lifter import PoseLifter, Window
import torch
from torch import Tensor

TALL_PX = 250  # height of the person in pixels, to which --noise-px refers
STATURE = ('head_top', 'nose', 'thorax', 'hip', 'r_knee', 'r_ankle')


def film(
    clips: Clips, lifter: PoseLifter, noise_px: float, *, centred: bool, every: int = 1
) -> TestWindows:
    """Return a window for every n-th frame of the clips; all others are filmed as well."""
    random = torch.Generator().manual_seed(0)
    F = len(clips.joints)
    slots = torch.arange(-lifter.past, lifter.future + 1)
    offset = torch.round(slots * lifter.period_s * clips.fps).expand(F, -1)
    joints, root, inside = cut_windows(clips, torch.arange(F), offset)
    present = inside & (centred | (slots <= 0))
    points = _filmed(joints + root[:, :, None], clips, random)
    points = into_virtual_camera(points, lifter.past)
    rays, _ = project(points)
    stature, depth = _stature(joints[:, lifter.past]), points[:, lifter.past, HIP, 2]
    deviation = noise_px / TALL_PX * stature / depth
    noise = deviation[:, None, None, None] * torch.randn(rays.shape, generator=random)
    variance = deviation.square()[:, None, None, None, None] * torch.eye(2)
    sure = torch.full((F,), pck_probability(noise_px / TALL_PX))
    shape = rays.shape[:3]
    truth = points[:, lifter.past] - points[:, lifter.past, HIP, None]
    window = Window(
        (rays + noise)[::every].double().numpy(),
        variance.expand(*shape, 2, 2)[::every].double().numpy(),
        sure[:, None, None].expand(shape)[::every].double().numpy(),
        present[::every].numpy(),
    )
    return TestWindows(window, truth[::every].double().numpy())


def _filmed(points: Tensor, clips: Clips, random: torch.Generator) -> Tensor:
    """Return the points (F, T, J, 3) as the camera of the key frame's second sees them."""
    frame = torch.arange(len(points))
    camera = ((frame - clips.first) % clips.fps < 1).cumsum(dim=0) - 1
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


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `diffpose evaluate mocap`."""
    parser.add_argument('--data', type=Path, required=True, help='mocap file (npz)')
    parser.add_argument('--noise-px', type=float, default=0.0, help='2D noise at 250 px height')
    add_lifter_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Evaluate as the options say."""
    if not 0 <= args.noise_px < math.inf:
        raise ValueError(f'noise_px = {args.noise_px}; set it to 0 or more')
    lifter, model_id = load_lifter(args)
    windows = film(
        load_clips(args.data), lifter, args.noise_px, centred=args.centred, every=args.every
    )
    more = {'noise_px': args.noise_px, 'model': model_id}
    report(args, lifter, [windows], lambda poses: summary(poses.mean, poses.truth), more)
    return 0
