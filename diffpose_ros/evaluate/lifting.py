"""
What all evaluations of a lifter share: windows in, poses at several settings, figures out.

A setting is a number of denoising steps and of hypotheses. The data are read once for all.

F frames, T slots, J joints of H36M_17
"""

import argparse
from collections.abc import Callable, Iterable
from dataclasses import dataclass
import sys
import time
from typing import Any, NamedTuple

from diffpose_ros.core.checkpoint import load_checkpoint
from diffpose_ros.core.config import InferenceConfig
from diffpose_ros.core.device import pick_device
from diffpose_ros.core.files import write_json
from diffpose_ros.evaluate.arguments import json_file, png_file
from diffpose_ros.evaluate.coverage import coverage, plot_settings, reliability
from diffpose_ros.evaluate.figures import columns
from diffpose_ros.lift3d.calibration import with_size
from diffpose_ros.lift3d.kinds import lifter_of, LIFTERS
from diffpose_ros.lift3d.lifter import Lifter, PoseLifter, Window
from diffpose_ros.lift3d.start import STARTS
import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
BATCH = 256
TOLD = ('steps', 'hypotheses', 'mpjpe_mm', 'p_mpjpe_mm', 'coverage_90', 'ms_per_frame')


@dataclass(frozen=True)
class TestWindows:
    """
    Windows of 2D input and the true key poses.

    truth  (F, J, 3)  metres, relative to the hip, virtual camera
    group  what figures are averaged over, where the protocol says so
    """

    inputs: Window
    truth: Floats
    group: str = ''

    def part(self, rows: slice) -> Window:
        """Return some rows of what Lifter.lift takes."""
        return Window(*(values[rows] for values in self.inputs))


class Setting(NamedTuple):
    """How much is computed; steps = 0 is the context encoder alone."""

    steps: int
    hypotheses: int


@dataclass(frozen=True)
class Lifted:
    """
    Poses of all frames at one setting.

    mean, truth  (F, J, 3)     metres, relative to the hip
    covariance   (F, J, 3, 3)  metres squared
    groups       (F,)          names
    """

    mean: Floats
    covariance: Floats
    truth: Floats
    groups: NDArray[np.str_]


Metrics = Callable[[Lifted], dict[str, Any]]


def settings_of(steps: Iterable[int], hypotheses: Iterable[int]) -> list[Setting]:
    """Return all pairs; the encoder alone has one pose, whatever is asked for."""
    pairs = [Setting(K, N if K else 1) for K in steps for N in hypotheses]
    return list(dict.fromkeys(pairs))


def lift_all(
    lifter: PoseLifter, parts: Iterable[TestWindows], settings: list[Setting]
) -> tuple[list[Lifted], list[float]]:
    """Return the poses of every setting, and the median ms of lifting one person at each."""
    lifted: list[list[Lifted]] = [[] for _ in settings]
    ms: list[float] = []
    for windows in parts:
        if not len(windows.truth):
            continue
        for row, setting in zip(lifted, settings, strict=True):
            row.append(lift_part(lifter, windows, setting))
        ms = ms or [ms_per_frame(lifter, windows, setting) for setting in settings]
    if not ms:
        raise ValueError('the data hold no frames; check the paths')
    return [joined(row) for row in lifted], ms


def lift_part(lifter: PoseLifter, windows: TestWindows, setting: Setting) -> Lifted:
    """Return the poses of all windows."""
    poses = [
        lifter.lift(windows.part(slice(i, i + BATCH)), *setting)
        for i in range(0, len(windows.truth), BATCH)
    ]
    return Lifted(
        np.concatenate([pose.mean for pose in poses]),
        np.concatenate([with_size(pose.covariance, pose.mean) for pose in poses]),
        windows.truth,
        np.full(len(windows.truth), windows.group),
    )


def joined(parts: list[Lifted]) -> Lifted:
    """Return all frames as one."""
    names = vars(parts[0])
    return Lifted(*(np.concatenate([getattr(part, name) for part in parts]) for name in names))


def ms_per_frame(lifter: PoseLifter, windows: TestWindows, setting: Setting) -> float:
    """Return the median time of lifting one person."""
    times = []
    for i in range(min(20, len(windows.truth))):
        began = time.perf_counter()
        lifter.lift(windows.part(slice(i, i + 1)), *setting)
        times.append(time.perf_counter() - began)
    return 1000 * float(np.median(times))


def add_lifter_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options that all evaluations of a lifter have."""
    parser.add_argument('--out', type=json_file, required=True, help='JSON file to write')
    parser.add_argument('--checkpoint', default='lift3d_default', help='name or .safetensors file')
    parser.add_argument(
        '--steps', type=int, nargs='+', default=[2], help='0 = the context encoder alone'
    )
    parser.add_argument('--hypotheses', type=int, nargs='+', default=[5], help='poses N')
    parser.add_argument(
        '--start', choices=STARTS, default='mixture', help='what hypotheses are drawn from'
    )
    parser.add_argument('--centred', action='store_true', help='use the frames after the key too')
    parser.add_argument('--every', type=int, default=1, help='evaluate every n-th frame alone')
    parser.add_argument(
        '--plot',
        type=png_file,
        help='PNG file: reliability; error by setting, where there are more',
    )
    parser.add_argument('--device', default='cpu', help='auto, cpu, cuda or cuda:N')


def load_lifter(args: argparse.Namespace) -> tuple[PoseLifter, str]:
    """Return the lifter that the options name, and its model id; refuse settings out of range."""
    for steps, hypotheses in settings_of(args.steps, args.hypotheses):
        InferenceConfig(lift_steps=steps or 1, hypotheses=hypotheses)  # 0 = the encoder alone
    if args.every < 1:
        raise ValueError(f'every = {args.every}; set it to 1 or more')
    device = pick_device(args.device)
    if args.start == 'mixture':
        checkpoint = load_checkpoint(args.checkpoint, *LIFTERS)
        return lifter_of(checkpoint, device), checkpoint.model_id
    checkpoint = load_checkpoint(args.checkpoint, 'lift3d')
    return Lifter.from_checkpoint(checkpoint, device, start=args.start), checkpoint.model_id


def report(
    args: argparse.Namespace,
    lifter: PoseLifter,
    parts: Iterable[TestWindows],
    metrics: Metrics,
    more: dict[str, Any],
) -> None:
    """
    Evaluate at all settings; write the JSON and the plot, tell the main figures.

    more  entries of the JSON besides the figures; the figures of the first setting stand at the
          top, those of all settings under `settings`
    """
    settings = settings_of(args.steps, args.hypotheses)
    lifted, ms = lift_all(lifter, parts, settings)
    rows = [
        {
            **metrics(poses),
            **coverage(poses.mean, poses.covariance, poses.truth),
            'frames': len(poses.mean),
            **setting._asdict(),
            'ms_per_frame': time_ms,
        }
        for poses, setting, time_ms in zip(lifted, settings, ms, strict=True)
    ]
    if args.plot is not None:
        curves = [reliability(poses.mean, poses.covariance, poses.truth) for poses in lifted]
        plot_settings(args.plot, rows, curves)
    result = {**rows[0], **more, 'start': args.start, 'centred': args.centred, 'settings': rows}
    write_json(args.out, result)
    sys.stdout.write(columns(rows, TOLD))
