"""
`diffpose benchmark pose2d`: how long the 2D estimator takes, against its backbone alone.

A row is the work of one image in a causal window: the backbone on the newest crop of each person,
earlier features being kept, then the STRL once and the decoder for every step and set of noise.
Its time in backbone passes is the median over pairs measured one after the other.
"""

import argparse
from collections.abc import Callable
from typing import Any

from diffpose_ros.core.arguments import count
from diffpose_ros.core.checkpoint import load_checkpoint
from diffpose_ros.core.config import PRECISIONS
from diffpose_ros.core.device import pick_device, pick_precision
from diffpose_ros.evaluate import compare
from diffpose_ros.evaluate.cost import cost, peak_gflops, ratio
from diffpose_ros.video2d.estimator import VideoEstimator
import numpy as np
import torch


def backbone_work(estimator: VideoEstimator, B: int) -> Callable[[], Any]:
    """Return one backbone pass over the crops of B people."""
    width, height = estimator.crop_size
    crops = np.random.default_rng(0).integers(0, 256, (B, height, width, 3), np.uint8)
    return lambda: estimator.features(crops, views=1)


def image_work(estimator: VideoEstimator, B: int, S: int, M: int) -> Callable[[], Any]:
    """Return the 2D poses of B people in the next image: S steps, M sets of noise."""
    width, height = estimator.crop_size
    crops = np.random.default_rng(0).integers(0, 256, (B, height, width, 3), np.uint8)
    views, slots = estimator.views(M), estimator.slots
    known = estimator.features(crops, views)[:, None].repeat(1, slots, 1, 1, 1, 1)
    present = (torch.arange(slots) <= estimator.past).expand(B, -1)

    def work() -> None:
        known[:, estimator.past] = estimator.features(crops, views)
        estimator.estimate(known, present, S, M)

    return work


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `diffpose benchmark pose2d`."""
    compare.add_arguments(parser)
    parser.add_argument('--checkpoint', default='pose2d_compact')
    parser.add_argument('--people', type=count, nargs='+', default=[1, 8])
    parser.add_argument('--steps', type=count, nargs='+', default=[1, 4])
    parser.add_argument('--ensembles', type=count, nargs='+', default=[1, 2, 4])
    parser.add_argument('--device', default='cpu', help='auto, cpu, cuda or cuda:N')
    parser.add_argument('--threads', type=count, default=2, help='of the processor')
    parser.add_argument(
        '--precision', choices=PRECISIONS, default='float32', help='the peak is that of float32'
    )


def run(args: argparse.Namespace) -> int:
    """Measure all combinations."""
    torch.set_num_threads(args.threads)
    checkpoint = load_checkpoint(args.checkpoint, 'pose2d')
    device = pick_device(args.device)
    precision = pick_precision(args.precision, device)
    estimator = VideoEstimator.from_checkpoint(checkpoint, device, precision)
    peak, rows = peak_gflops(device), []
    for B in args.people:
        backbone = backbone_work(estimator, B)
        rows.append({'people': B, 'part': 'backbone alone', **cost(backbone, peak)})
        for S in args.steps:
            for M in args.ensembles:
                work = image_work(estimator, B, S, M)
                effort = {'people': B, 'steps': S, 'ensembles': M}
                backbones = ratio(work, backbone)
                rows.append({**effort, **cost(work, peak), 'backbones': backbones})
    told = {'device': str(device), 'threads': args.threads, 'peak_gflops': peak}
    compare.write_and_compare({**told, 'rows': rows}, args)
    return 0
