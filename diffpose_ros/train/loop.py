"""
What every training shares: budget, learning rate, moving average, log and resumption.

Several processes train together when they are started as `torchrun` starts them (environment
variables RANK, WORLD_SIZE, MASTER_ADDR, MASTER_PORT): each makes its own batches, and gradients
are averaged. On GPUs each takes the one that LOCAL_RANK names.
"""

from collections.abc import Callable, Iterable, Mapping
import copy
from dataclasses import dataclass
import json
import math
import os
from pathlib import Path
import time
from typing import Any

from diffpose_ros.core.files import write_atomically
from safetensors import safe_open, SafetensorError
import safetensors.torch
import torch
from torch import distributed, nn, Tensor

WARM_UP_STEPS = 100


@dataclass
class Budget:
    """
    How long to train; the run ends, well annealed, at whichever limit comes first.

    minutes  wall time over all parts of a resumed run, 0 = no limit
    steps    0 = no limit
    """

    minutes: float = 0
    steps: int = 0
    step: int = 0
    elapsed_s: float = 0
    clock: Callable[[], float] = time.monotonic

    def __post_init__(self) -> None:
        if self.minutes <= 0 and self.steps <= 0:
            raise ValueError('a run needs an end; set minutes or steps above 0')
        self.start()

    def start(self) -> None:
        """Start the clock; what happened before does not count."""
        self._last = self.clock()

    @property
    def progress(self) -> float:
        """Share of the budget that is used, 0 to 1."""
        time_share = self.elapsed_s / (60 * self.minutes) if self.minutes > 0 else 0
        step_share = self.step / self.steps if self.steps > 0 else 0
        return min(1.0, max(time_share, step_share))

    def advance(self) -> None:
        """Count one step and the time since the last, the same in all processes."""
        now = self.clock()
        self.elapsed_s = average(self.elapsed_s + now - self._last)
        self._last = now
        self.step += 1

    def learning_rate_share(self) -> float:
        """Return the share of the highest learning rate: warm-up, then half a cosine."""
        warm = min(1.0, (self.step + 1) / WARM_UP_STEPS)
        return warm * (0.5 + 0.5 * math.cos(math.pi * self.progress)) + 1e-3


class Ema:
    """Exponential moving average of weights and of BatchNorm's statistics."""

    def __init__(self, model: nn.Module, decay: float = 0.998) -> None:
        self.decay, self.updates = decay, 0
        self.model = copy.deepcopy(model).eval().requires_grad_(False)

    @torch.no_grad()
    def update(self, model: nn.Module) -> None:
        """Move towards the model; faster at the start, when the average knows nothing yet."""
        self.updates += 1
        decay = min(self.decay, (1 + self.updates) / (10 + self.updates))
        mine, others = (m.state_dict().values() for m in (self.model, model))
        pairs = list(zip(mine, others, strict=True))
        means, values = zip(*(pair for pair in pairs if pair[0].is_floating_point()), strict=True)
        torch._foreach_lerp_(means, values, 1 - decay)
        for count, other in pairs:
            if not count.is_floating_point():
                count.copy_(other)


def join_others(device: torch.device) -> int:
    """
    Join the other processes of this training, if any, and return this one's rank.

    device  that all train on; cuda is for each the GPU of its rank
    raises  ValueError when it is one GPU for all
    """
    if 'WORLD_SIZE' not in os.environ:
        return 0
    if device.index is not None:
        raise ValueError(f'device = {device}, but several processes train; set it to cuda or auto')
    if device.type == 'cuda':
        torch.cuda.set_device(int(os.environ.get('LOCAL_RANK', '0')))
    distributed.init_process_group('nccl' if device.type == 'cuda' else 'gloo')
    return distributed.get_rank()


def average(value: float) -> float:
    """Return the mean of a number over all processes, so that they decide alike."""
    if not distributed.is_initialized():
        return value
    shared = torch.tensor([value], device='cuda' if distributed.get_backend() == 'nccl' else 'cpu')
    distributed.all_reduce(shared)
    return float(shared) / distributed.get_world_size()


def average_gradients(model: nn.Module) -> None:
    """Average the gradients over all processes, so that their weights stay the same."""
    if not distributed.is_initialized():
        return
    gradients = [p.grad for p in model.parameters() if p.grad is not None]
    together = torch.cat([g.flatten() for g in gradients])
    distributed.all_reduce(together)
    parts = together.div_(distributed.get_world_size()).split([g.numel() for g in gradients])
    for gradient, part in zip(gradients, parts, strict=True):
        gradient.copy_(part.view_as(gradient))


def take_from_first(tensors: Iterable[Tensor]) -> None:
    """Overwrite tensors with those of the first process."""
    if distributed.is_initialized():
        for tensor in tensors:
            distributed.broadcast(tensor, 0)


class RunFolder:
    """
    Where a training writes, and what it resumes from.

    log.jsonl         one JSON object a line
    config.json       what builds the network
    last.safetensors  newest state, see state_tensors
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        path.mkdir(parents=True, exist_ok=True)

    @property
    def state_path(self) -> Path:
        """File of the newest state."""
        return self.path / 'last.safetensors'

    def log(self, **values: Any) -> None:
        """Append one line to the log."""
        with (self.path / 'log.jsonl').open('a') as file:
            file.write(json.dumps(values) + '\n')

    def write_config(self, config: dict[str, Any]) -> None:
        """
        Write what a reader needs to build the network again.

        raises  ValueError when the folder holds the state of another one, whose weights may fit
        """
        path, text = self.path / 'config.json', json.dumps(config, indent=2) + '\n'
        if self.state_path.is_file() and path.is_file() and path.read_text() != text:
            before, now = json.loads(path.read_text()), json.loads(text)
            other = [n for n in sorted({*before, *now}) if before.get(n) != now.get(n)]
            raise ValueError(
                f'{self.path} holds a run of another network ({", ".join(other)}); give the '
                'options of that run, or name another folder'
            )
        path.write_text(text)

    def save(
        self,
        model: nn.Module,
        ema: Ema,
        optimizer: torch.optim.Optimizer,
        budget: Budget,
        **others: Tensor,
    ) -> None:
        """Write the state, and other tensors with it, whole or not at all."""
        told = {'ema_updates': ema.updates, 'step': budget.step, 'elapsed_s': budget.elapsed_s}
        tensors = state_tensors(model, ema.model, optimizer) | others
        dense = {name: value.detach().cpu().contiguous() for name, value in tensors.items()}
        metadata = {'training': json.dumps(told)}
        write_atomically(self.state_path, safetensors.torch.save(dense, metadata))

    def read(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """
        Return tensors and counts of the newest state.

        raises  FileNotFoundError, or ValueError when the file is damaged or another one
        """
        try:
            with safe_open(self.state_path, 'pt') as file:
                tensors = {name: file.get_tensor(name) for name in file.keys()}
                return tensors, json.loads(file.metadata()['training'])
        except (SafetensorError, KeyError, TypeError) as error:
            raise ValueError(
                f'{self.state_path} is no state of a training, or damaged; name another folder, '
                'or delete it and begin anew'
            ) from error

    def resume(
        self, model: nn.Module, ema: Ema, optimizer: torch.optim.Optimizer, budget: Budget
    ) -> dict[str, Tensor]:
        """
        Load the newest state if there is one, and return its tensors.

        raises  ValueError when it is that of another network
        """
        if not self.state_path.is_file():
            return {}
        tensors, told = self.read()
        try:
            load_state(tensors, model, ema.model, optimizer)
            ema.updates = told['ema_updates']
            budget.step, budget.elapsed_s = told['step'], told['elapsed_s']
        except (RuntimeError, KeyError) as error:
            raise ValueError(
                f'{self.state_path} is of another network; give the options of that run, name '
                'another folder, or delete it and begin anew'
            ) from error
        return tensors


def state_tensors(
    model: nn.Module, average: nn.Module, optimizer: torch.optim.Optimizer
) -> dict[str, Tensor]:
    """Return all that learns: model.*, ema.*, and optimizer.NUMBER.* by parameter."""
    moments = {
        f'optimizer.{number}.{name}': value
        for number, values in optimizer.state_dict()['state'].items()
        for name, value in values.items()
    }
    weights = {f'model.{name}': value for name, value in model.state_dict().items()}
    averages = {f'ema.{name}': value for name, value in average.state_dict().items()}
    return weights | averages | moments


def load_state(
    tensors: Mapping[str, Tensor],
    model: nn.Module,
    average: nn.Module,
    optimizer: torch.optim.Optimizer,
) -> None:
    """Put back what state_tensors returned."""
    model.load_state_dict(part(tensors, 'model.'))
    average.load_state_dict(part(tensors, 'ema.'))
    moments: dict[int, dict[str, Tensor]] = {}
    for key, value in part(tensors, 'optimizer.').items():
        number, name = key.split('.', 1)
        moments.setdefault(int(number), {})[name] = value
    groups = optimizer.state_dict()['param_groups']
    optimizer.load_state_dict({'state': moments, 'param_groups': groups})


def part(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """Return the tensors whose names begin with the prefix, without it."""
    return {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}
