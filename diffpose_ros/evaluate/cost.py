"""
What a computation costs: time, floating-point operations, share of what the machine could do.

The peak is measured on the spot with one large matrix product. FLOPs count two per multiply-add.
"""

from collections.abc import Callable
import time
from typing import Any

import numpy as np
import torch
from torch.utils.flop_counter import FlopCounterMode

WARM_UP, RUNS = 3, 20
PEAK_SIZES = {'cpu': 1024, 'cuda': 8192}  # rows and columns of the product


def median_ms(work: Callable[[], Any]) -> float:
    """Return the median time of a function in ms."""
    for _ in range(WARM_UP):
        work()
    return float(np.median([once_ms(work) for _ in range(RUNS)]))


def ratio(work: Callable[[], Any], unit: Callable[[], Any]) -> float:
    """Return how often a function's time holds that of another, run in turns on a busy machine."""
    for _ in range(WARM_UP):
        work()
        unit()
    return float(np.median([once_ms(work) / once_ms(unit) for _ in range(RUNS)]))


def once_ms(work: Callable[[], Any]) -> float:
    """Return the time of one call in ms."""
    began = time.perf_counter()
    work()
    await_gpu()
    return 1000 * (time.perf_counter() - began)


def await_gpu() -> None:
    """Return when a GPU, if one is used, has worked: it answers before."""
    if torch.cuda.is_initialized():
        torch.cuda.synchronize()


def flops(work: Callable[[], Any]) -> int:
    """Return the floating-point operations of a function's matrix products."""
    with FlopCounterMode(display=False) as counter:
        work()
    return counter.get_total_flops()


def peak_gflops(device: torch.device) -> float:
    """Return what a large matrix product of float32 reaches."""
    n = PEAK_SIZES[device.type]
    a = torch.randn(n, n, device=device)
    return 2 * n**3 / median_ms(lambda: a @ a) / 1e6


def cost(work: Callable[[], Any], peak: float) -> dict[str, float]:
    """Return time, operations and the share of the peak."""
    ms, count = median_ms(work), flops(work)
    return {'ms': ms, 'gflop': count / 1e9, 'share_of_peak': count / ms / 1e6 / peak}
