"""
`diffpose benchmark lift3d`: how long the lifter takes, against what the machine could do.

Of the published denoiser two times are given: with all hypotheses different, and as the published
sampler has them, all equal and so computed once.
"""

import argparse
from collections.abc import Callable
from typing import Any

from diffpose_ros.core.arguments import count
from diffpose_ros.core.checkpoint import load_checkpoint
from diffpose_ros.core.device import pick_device
from diffpose_ros.core.skeleton import H36M_17
from diffpose_ros.evaluate import compare
from diffpose_ros.evaluate.cost import cost, peak_gflops
from diffpose_ros.lift3d.folded import FoldedNetwork
from diffpose_ros.lift3d.lifter import Lifter, Window
from diffpose_ros.lift3d.released import refine, released_denoiser, SCHEDULE, STATE
import numpy as np
import torch


def lifter_work(lifter: Lifter, B: int, N: int, K: int) -> Callable[[], Any]:
    """Return the lifting of B people, causal windows."""
    T, J = lifter.past + 1 + lifter.future, len(H36M_17.joints)
    rays = 0.1 * np.random.default_rng(0).normal(size=(B, T, J, 2))
    present = np.tile(np.arange(T) <= lifter.past, (B, 1))
    window = Window(rays, np.zeros((B, T, J, 2, 2)), np.ones((B, T, J)), present)
    return lambda: lifter.lift(window, K, N)


def released_work(poses: int, K: int, device: torch.device) -> Callable[[], Any]:
    """Return the published sampler with random weights, K steps over the whole chain."""
    network = FoldedNetwork(released_denoiser().to(device))
    state = torch.randn(poses, len(H36M_17.joints), STATE, device=device)
    return lambda: refine(network, state, len(SCHEDULE) - 1, K)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `diffpose benchmark lift3d`."""
    compare.add_arguments(parser)
    parser.add_argument('--checkpoint', default='lift3d_default')
    parser.add_argument('--people', type=count, nargs='+', default=[1, 8])
    parser.add_argument('--hypotheses', type=count, nargs='+', default=[1, 5])
    parser.add_argument('--steps', type=count, nargs='+', default=[2, 5])
    parser.add_argument('--device', default='cpu', help='auto, cpu, cuda or cuda:N')
    parser.add_argument('--threads', type=count, default=2, help='of the processor')


def run(args: argparse.Namespace) -> int:
    """Measure all combinations."""
    torch.set_num_threads(args.threads)
    device = pick_device(args.device)
    lifter = Lifter.from_checkpoint(load_checkpoint(args.checkpoint, 'lift3d'), device)
    peak = peak_gflops(device)
    rows = [
        {'model': model, 'people': B, 'hypotheses': N, 'steps': K, **cost(work, peak)}
        for B in args.people
        for N in args.hypotheses
        for K in args.steps
        for model, work in (
            (args.checkpoint, lifter_work(lifter, B, N, K)),
            ('released denoiser', released_work(B * N, K, device)),
            ('released denoiser, equal poses once', released_work(B, K, device)),
        )
    ]
    told = {'device': str(device), 'threads': args.threads, 'peak_gflops': peak}
    compare.write_and_compare({**told, 'rows': rows}, args)
    return 0
