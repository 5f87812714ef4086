"""
On a GPU, networks as recordings that are replayed.

What the networks do for one image is a thousand kernels of a few microseconds, and to launch them
one by one takes longer than to run them. A CUDA graph launches them all at once.
"""

from collections.abc import Callable, Hashable, Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor

MOST = 64  # recordings that a function keeps

Function = Callable[..., tuple[Tensor, ...]]


def filled_slots(present: Tensor) -> Tensor:
    """Return the slots (t,) that any of the windows (B, T) fills."""
    return present.any(dim=0).nonzero().flatten()


def slots_to_take(present: Tensor, device: torch.device) -> Tensor:
    """
    Return the slots (t,) of windows (B, T) that networks look at on a device: the filled ones.

    On a GPU the empty ones before the last, too: they cost less than a recording without them.
    """
    used = filled_slots(present)
    return torch.arange(int(used.max()) + 1) if device.type == 'cuda' else used


class Replayed:
    """
    A function of tensors that a GPU records once for every shape and setting, and then replays.

    function  (*tensors, **settings) to a tuple of tensors, all on one device; what it does must
              depend on nothing but shapes and settings, and on no value in a tensor
    """

    def __init__(self, function: Function) -> None:
        self._function = function
        self._recordings: dict[Hashable, CapturedGraph] = {}
        self._pool: Any = None  # memory that they share: one runs after the other

    def __call__(self, *tensors: Tensor, **settings: Any) -> tuple[Tensor, ...]:
        """Return what the function returns."""
        if not tensors[0].is_cuda:
            return self._function(*tensors, **settings)
        shapes = tuple((tensor.shape, tensor.dtype) for tensor in tensors)
        key = shapes, tuple(settings.items())
        with torch.cuda.device(tensors[0].device):
            if key not in self._recordings:
                if len(self._recordings) == MOST:
                    del self._recordings[next(iter(self._recordings))]
                function = partial(self._function, **settings)
                captured = CapturedGraph(function, tensors, self._pool)
                self._recordings[key], self._pool = captured, captured.graph.pool()
            return self._recordings[key].replay(tensors)


class CapturedGraph:
    """What a function did with tensors of some shapes."""

    def __init__(self, function: Function, tensors: Sequence[Tensor], pool: Any) -> None:
        self._given = [tensor.clone() for tensor in tensors]
        function(*self._given)  # makes what is made at the first call and then kept
        self.graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(self.graph, pool, capture_error_mode='thread_local'):
            self._found = function(*self._given)

    def replay(self, tensors: Sequence[Tensor]) -> tuple[Tensor, ...]:
        """Return what the function makes of other tensors of the same shapes."""
        for mine, given in zip(self._given, tensors, strict=True):
            mine.copy_(given)
        self.graph.replay()
        return tuple(tensor.clone() for tensor in self._found)
