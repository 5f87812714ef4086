"""
`diffpose evaluate h36m`: the lifter on Human3.6M, subjects 9 and 11, files of VideoPose3D.

Protocol 1 is MPJPE, protocol 2 P-MPJPE: means over frames per action, then over actions.
"""

import argparse
import math
from pathlib import Path
from typing import Any

from diffpose_ros.data.formats.h36m import read_h36m
from diffpose_ros.evaluate.arguments import check_output
from diffpose_ros.evaluate.captures import report_captures
from diffpose_ros.evaluate.lifting import add_lifter_arguments, Lifted
from diffpose_ros.evaluate.mpjpe import summary
import numpy as np


def by_action(poses: Lifted) -> dict[str, Any]:
    """Return the means over actions, and per_action the means over frames."""
    actions = {
        str(name): summary(poses.mean[poses.groups == name], poses.truth[poses.groups == name])
        for name in np.unique(poses.groups)
    }
    figures = next(iter(actions.values()))
    means = {key: float(np.mean([action[key] for action in actions.values()])) for key in figures}
    return {**means, 'per_action': actions}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `diffpose evaluate h36m`."""
    parser.add_argument('--poses', type=Path, required=True, help='data_3d_h36m.npz')
    parser.add_argument('--detections', type=Path, required=True, help='data_2d_h36m_*.npz')
    parser.add_argument('--cameras', type=Path, required=True, help='calibrations (JSON)')
    parser.add_argument(
        '--error-px', type=float, default=0.0, help='deviation of the 2D input, told to the lifter'
    )
    add_lifter_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Evaluate as the options say."""
    check_output(args.out, args.cameras)
    if not 0 <= args.error_px < math.inf:
        raise ValueError(f'error_px = {args.error_px}; set it to 0 or more')
    captures = read_h36m(args.poses, args.detections, args.cameras)
    more = {'detections': args.detections.name, 'error_px': args.error_px}
    report_captures(args, captures, by_action, args.error_px, more)
    return 0
