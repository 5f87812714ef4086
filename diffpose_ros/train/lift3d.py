"""
Training of the lifter: `python -m diffpose_ros.train.lift3d --data DIR --out DIR`.

DIR holds motion capture, Human3.6M or MPI-INF-3DHP, see data.motions.
"""

import argparse
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
import logging
from pathlib import Path

from diffpose_ros.core.arguments import count
from diffpose_ros.core.checkpoint import (
    Checkpoint,
    load_checkpoint,
    restore,
    save_checkpoint,
)
from diffpose_ros.core.device import pick_device
from diffpose_ros.data.mocap import Clips
from diffpose_ros.data.motions import motion_clips, motion_files
from diffpose_ros.diffusion.mixture import fit_mixture
from diffpose_ros.lift3d.model import LiftModel, LiftModelConfig
from diffpose_ros.train.lift3d_loss import encoder_errors, held_out_errors, lift3d_losses
from diffpose_ros.train.loop import (
    average_gradients,
    Budget,
    Ema,
    join_others,
    RunFolder,
    take_from_first,
)
from diffpose_ros.train.timing import KIND_SHARES, KINDS
from diffpose_ros.train.windows import WindowSampler
import torch
from torch import Tensor
from tqdm import tqdm

log = logging.getLogger(__name__)

MIXTURE_AT = (0.05, 0.2, 0.45)  # progress at which the mixture is fitted anew
CHECKS = 12  # validations per training
HELD_OUT_WINDOWS = 256
SIZES = LiftModelConfig()
FIT_BATCHES, FIT_BATCH = 16, 256  # windows that the mixture is fitted to


@dataclass(frozen=True)
class TrainConfig:
    """
    How long and how fast; learning rate and checks follow the share of the time that passed.

    denoise = False is the deterministic lifter to compare with: the encoder learns alone.
    """

    minutes: float = 60
    batch: int = 64
    lr: float = 1e-3
    weight_decay: float = 0.01
    ema: float = 0.999
    seed: int = 0
    denoise: bool = True


class Trainer:
    """Model, optimiser and progress; everything that a resumed run needs."""

    def __init__(
        self,
        config: TrainConfig,
        data: Path,
        out: Path,
        device: torch.device,
        sizes: LiftModelConfig = SIZES,
        rank: int = 0,
    ) -> None:
        torch.manual_seed(config.seed)
        self.config, self.device, self.rank = config, device, rank
        self.budget = Budget(config.minutes)
        self.model = LiftModel(sizes).to(device)
        self.ema = Ema(self.model, config.ema)
        self.random = torch.Generator()
        self.drawing = torch.Generator(device)  # windows are made where they are learnt from
        self.draw_anew(0)
        self.optimizer = torch.optim.AdamW(
            self.model.parameters(), lr=config.lr, weight_decay=config.weight_decay, fused=True
        )
        self.checks, self.fits = 0, 0
        self.files = motion_files(data)
        self.sampler = self._sampler(motion_clips(data, 'train'), self.drawing)
        held_out = motion_clips(data, 'held_out')
        self.held_out = self._sampler(held_out, torch.Generator().manual_seed(1)).draw(
            HELD_OUT_WINDOWS, 'causal'
        )
        self.folder = RunFolder(out)

    def draw_anew(self, step: int) -> None:
        """Seed all draws by what this process is and how far it is."""
        seed = self.config.seed + 1000 * self.rank + step
        self.random.manual_seed(seed)
        self.drawing.manual_seed(seed)

    def _sampler(self, clips: Clips, random: torch.Generator) -> WindowSampler:
        return WindowSampler(clips, self.model.config.past, self.model.config.future, random)

    def run(self) -> None:
        """Train until the time is over; checks, saves and exports on the way."""
        self.budget.start()
        with tqdm(unit='step', mininterval=30, disable=self.rank > 0) as bar:
            while self.budget.progress < 1:
                losses = self.train_step()
                self.budget.advance()
                if self.fits < self.fits_due():
                    self.fit_mixture()
                bar.update()
                if self.checks < self.checks_due():
                    self.checks = self.checks_due()
                    if self.rank == 0:
                        self.check(losses)

    def fits_due(self) -> int:
        """Return how often the mixture should have been fitted by now."""
        return sum(self.budget.progress >= at for at in MIXTURE_AT)

    def checks_due(self) -> int:
        """Return how many validations should have been made by now."""
        return int(self.budget.progress * CHECKS)

    def train_step(self) -> dict[str, float]:
        """Take one step of the optimiser."""
        for group in self.optimizer.param_groups:
            group['lr'] = self.config.lr * self.budget.learning_rate_share()
        kind = int(torch.multinomial(KIND_SHARES, 1, generator=self.random))
        size = self.config.batch * (4 if KINDS[kind] == 'single' else 1)
        windows = self.sampler.draw(size, KINDS[kind])
        denoised = self.config.batch if self.config.denoise else 0
        losses = lift3d_losses(self.model, windows, denoised, self.random)
        self.optimizer.zero_grad()
        losses.total.backward()
        average_gradients(self.model)
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self.optimizer.step()
        self.ema.update(self.model)
        return {name: float(value.detach()) for name, value in vars(losses).items()}

    @torch.no_grad()
    def fit_mixture(self) -> None:
        """Fit the shape of the start to the encoder's errors on fresh windows."""
        batches = (self.sampler.draw(FIT_BATCH, 'causal') for _ in range(FIT_BATCHES))
        errors = torch.cat([encoder_errors(self.ema.model, batch) for batch in batches])
        errors = errors.clamp(-6, 6).cpu().double()
        mixture = fit_mixture(errors, len(self.model.pi), self.random, 20, ridge=1e-3)
        for model in (self.model, self.ema.model):
            model.pi.copy_(mixture.pi)
            model.mu.copy_(mixture.mu)
            model.L.copy_(mixture.L)
            take_from_first([model.pi, model.mu, model.L])
        self.fits += 1

    def check(self, losses: dict[str, float]) -> None:
        """Measure on held-out motions, log, save, export."""
        record = {
            'step': self.budget.step,
            'minutes': round(self.budget.elapsed_s / 60, 2),
            **{f'loss_{name}': value for name, value in losses.items()},
            **held_out_errors(self.ema.model, self.held_out.to(self.device)),
        }
        log.info('%s', record)
        self.folder.log(**record)
        self.save()
        self.export(record)

    def save(self) -> None:
        """Write what a resumed run needs, whole or not at all."""
        self.folder.save(
            self.model,
            self.ema,
            self.optimizer,
            self.budget,
            random=self.random.get_state(),
            drawing=self.drawing.get_state(),
        )

    def start_from(self, checkpoint: Checkpoint) -> None:
        """Take weights over; raise ValueError when they do not fit the networks."""
        restore(self.model, checkpoint)
        restore(self.ema.model, checkpoint)

    def resume(self) -> None:
        """Continue a run that was stopped; on another kind of device with other draws."""
        tensors = self.folder.resume(self.model, self.ema, self.optimizer, self.budget)
        if not tensors:
            return
        log.info('resuming %s at step %d', self.folder.path, self.budget.step)
        self.draw_anew(self.budget.step)
        if self.rank == 0 and len(tensors['drawing']) == len(self.drawing.get_state()):
            self.random.set_state(tensors['random'])
            self.drawing.set_state(tensors['drawing'])
        self.checks, self.fits = self.checks_due(), self.fits_due()

    def export(self, record: dict[str, float]) -> None:
        """Write the averaged weights as a checkpoint that the lifter loads."""
        tensors: dict[str, Tensor] = dict(self.ema.model.state_dict())
        training = {**asdict(self.config), **record, 'data': self.files}
        path = self.folder.path / 'lift3d.safetensors'
        save_checkpoint(path, 'lift3d', asdict(self.model.config), tensors, {'training': training})


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `diffpose train lift3d`."""
    default = TrainConfig()
    parser.add_argument('--data', type=Path, required=True, help='*_train.npz, H36M or 3DHP in it')
    parser.add_argument('--out', type=Path, required=True, help='folder for log and weights')
    parser.add_argument('--minutes', type=float, default=default.minutes, help='length')
    parser.add_argument('--batch', type=count, default=default.batch, help='windows')
    parser.add_argument('--learning-rate', type=float, default=default.lr, help='highest')
    parser.add_argument('--start-from', help='checkpoint whose weights to start from')
    parser.add_argument('--seed', type=int, default=default.seed, help='of all draws')
    parser.add_argument('--device', default='auto', help='auto, cpu, cuda or cuda:N')
    parser.add_argument(
        '--components', type=count, default=SIZES.components, help='of the start; 1 = a Gaussian'
    )
    parser.add_argument(
        '--without-context', action='store_true', help='ablation: the denoiser is not told f_ST'
    )
    parser.add_argument(
        '--without-denoiser',
        action='store_true',
        help='train the encoder alone; a denoiser from --start-from stays as it is',
    )


def run(args: argparse.Namespace) -> int:
    """Train as the options say; a run that was stopped goes on where it was."""
    device = pick_device(args.device)
    rank = join_others(device)
    config = TrainConfig(
        minutes=args.minutes,
        batch=args.batch,
        lr=args.learning_rate,
        seed=args.seed,
        denoise=not args.without_denoiser,
    )
    sizes = replace(SIZES, components=args.components, context_told=not args.without_context)
    trainer = Trainer(config, args.data, args.out, device, sizes, rank)
    if args.start_from:
        trainer.start_from(load_checkpoint(args.start_from, 'lift3d'))
    trainer.resume()
    trainer.run()
    return 0


def main(argv: Sequence[str] | None = None) -> int:
    """Run as a module."""
    logging.basicConfig(level=logging.INFO, format='%(message)s')
    parser = argparse.ArgumentParser(description=__doc__)
    add_arguments(parser)
    return run(parser.parse_args(argv))


if __name__ == '__main__':
    raise SystemExit(main())
