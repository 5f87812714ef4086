"""`diffpose train video2d`: train the 2D video estimator on labelled pictures."""

import argparse
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
import sys

import cv2
from diffpose_ros.core.arguments import count
from diffpose_ros.core.checkpoint import load_checkpoint
from diffpose_ros.core.device import pick_device
from diffpose_ros.data.labelled import People
from diffpose_ros.evaluate.images2d import estimate_single, measure, predict
from diffpose_ros.train.augment import Strength
from diffpose_ros.train.export2d import export_run
from diffpose_ros.train.loop import Budget, join_others, RunFolder
from diffpose_ros.train.pose_trainer import Learner, Trainer
from diffpose_ros.train.sources import add_source_arguments, read_sources
from diffpose_ros.train.stills import Mixture, WindowDataset, Wish
from diffpose_ros.video2d.backbone import BACKBONES
from diffpose_ros.video2d.calibration import Calibration
from diffpose_ros.video2d.estimator import Pose2DBatch, VideoEstimator
from diffpose_ros.video2d.heatmap import decode
from diffpose_ros.video2d.network import NetworkConfig, PoseNetwork
import numpy as np
from numpy.typing import NDArray
import torch
from torch.utils.data import DataLoader
from tqdm import tqdm

WINDOWS_FROM = 1.2  # warm-ups of the learner after which windows of several frames join
WINDOW_SHARE = 0.4  # of the batches from then on
WINDOW_FRAMES = 3  # a batch of windows holds this many times fewer people
LOG_EVERY = 25
VALIDATED = 192  # people whose PCK the log shows


@dataclass
class Plan:
    """Wishes for the data workers, by how far the run is."""

    budget: Budget
    config: NetworkConfig
    batch: int
    seed: int
    rank: int
    windows_from: float  # share of the run

    def __iter__(self) -> Iterator[list[Wish]]:
        rng = np.random.default_rng([self.seed, self.rank, self.budget.step])
        while self.budget.progress < 1:
            window = self.budget.progress >= self.windows_from and rng.random() < WINDOW_SHARE
            people = max(2, self.batch // WINDOW_FRAMES) if window else self.batch
            size = self.config.crop_size
            yield [Wish(int(n), size, window) for n in rng.integers(2**62, size=people)]


def fit(
    trainer: Trainer,
    loader: DataLoader,
    budget: Budget,
    folder: RunFolder | None,
    validation: People,
    validate_every: float,
) -> None:
    """Train to the end of the budget; log, save and validate on the way if there is a folder."""
    few = validation.take(np.arange(min(VALIDATED, len(validation))))
    losses: list[float] = []
    due_s = budget.elapsed_s + 60 * validate_every
    budget.start()
    for batch in tqdm(loader, mininterval=30, disable=folder is None):
        losses.append(trainer.step(batch, budget))
        budget.advance()
        if folder and len(losses) == LOG_EVERY:
            folder.log(**state_of(budget), loss=round(sum(losses) / len(losses), 4))
            losses.clear()
        if folder and (budget.elapsed_s > due_s or budget.progress == 1):
            folder.save(trainer.learner, trainer.ema, trainer.optimizer, budget)
            folder.log(**state_of(budget), **validate(trainer.ema.model, few, trainer.device))
            due_s = budget.elapsed_s + 60 * validate_every
        if budget.progress == 1:  # the workers have prepared batches beyond
            break


def state_of(budget: Budget) -> dict[str, float]:
    """Return how far the run is, for the log."""
    return {'step': budget.step, 'minutes': round(budget.elapsed_s / 60, 2)}


def validate(learner: Learner, people: People, device: torch.device) -> dict:
    """Return PCK@0.2 of the plain head, and of the diffusion model with 1 and 4 steps."""
    plain = Calibration.plain(len(people.skeleton.joints))
    estimator = VideoEstimator(learner.network, plain, device)

    def plain_head(cuts: NDArray[np.uint8]) -> Pose2DBatch:
        pictures = torch.from_numpy(cuts).to(device).permute(0, 3, 1, 2).float()
        with torch.inference_mode():
            xy, covariance, peak = (
                x.double().cpu().numpy() for x in decode(learner.plain(pictures))
            )
        return Pose2DBatch(xy, covariance, peak)

    answers = {
        'plain_head': plain_head,
        'S1': partial(estimate_single, estimator, steps=1, ensembles=1),
        'S4': partial(estimate_single, estimator, steps=4, ensembles=1),
    }
    return {
        name: round(measure(people, predict(answer, estimator.crop_size, people))['pck'], 4)
        for name, answer in answers.items()
    }


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of the command."""
    add_source_arguments(parser)
    parser.add_argument('--out', type=Path, required=True, help='folder of the run')
    parser.add_argument('--minutes', type=float, default=0, help='length of the run')
    parser.add_argument('--steps', type=int, default=0, help='length of the run')
    parser.add_argument(
        '--start-from', help='checkpoint whose weights to start from, or the folder of a run'
    )
    parser.add_argument('--batch', type=count, default=32, help='people')
    parser.add_argument('--gentle', action='store_true', help='weaker views, for short runs')
    parser.add_argument('--learning-rate', type=float, default=1e-3, help='highest')
    parser.add_argument('--backbone', choices=BACKBONES, default=BACKBONES[0])
    parser.add_argument('--pretrained', default='', help='ViTPose weights, folder or hub id')
    parser.add_argument('--crop', type=count, nargs=2, default=(128, 160), help='columns, rows')
    parser.add_argument('--signal-scale', type=float, default=0.5, help='of x_0')
    parser.add_argument('--device', default='auto', help='auto, cpu, cuda or cuda:N')
    parser.add_argument('--bf16', action='store_true', help='where the machine is fast at it')
    parser.add_argument('--workers', type=int, default=0, help='processes that prepare data')
    parser.add_argument('--threads', type=int, default=0, help='of the processor, 0 = all')
    parser.add_argument('--seed', type=int, default=0, help='of all draws')
    parser.add_argument('--validate-every', type=float, default=6, help='minutes')


def run(args: argparse.Namespace) -> int:
    """Train until the budget is used; a run that was stopped goes on where it was."""
    if args.threads < 0:
        raise ValueError(f'threads = {args.threads}; set it to 0 or more')
    if args.threads:
        torch.set_num_threads(args.threads)
    cv2.setNumThreads(1)
    device = pick_device(args.device)
    rank = join_others(device)
    torch.manual_seed(args.seed)
    config = NetworkConfig(
        crop_size=tuple(args.crop),
        backbone=args.backbone,
        pretrained=args.pretrained,
        signal_scale=args.signal_scale,
    )
    budget = Budget(args.minutes, args.steps)
    mixture, validation = read_sources(args, config.past)
    learner = Learner(PoseNetwork(config))
    if args.start_from:
        start(learner, args.start_from)
    trainer = Trainer(learner, device, args.learning_rate, args.bf16)
    folder = RunFolder(args.out) if rank == 0 else None
    if folder:
        folder.write_config(asdict(config))
    RunFolder(args.out).resume(trainer.learner, trainer.ema, trainer.optimizer, budget)
    torch.manual_seed(args.seed + 1000 * rank + budget.step)
    plan = Plan(budget, config, args.batch, args.seed, rank, WINDOWS_FROM * learner.warm_up)
    loader = make_loader(args, mixture, plan, device)
    fit(trainer, loader, budget, folder, validation, args.validate_every)
    if folder:
        export_run([args.out], validation, args.out / 'pose2d')
    return 0


def start(learner: Learner, weights: str) -> None:
    """Take over the weights of a checkpoint or of a run; raise ValueError if they do not fit."""
    if Path(weights).is_dir():
        learner.continue_run(Path(weights))
    else:
        learner.continue_checkpoint(load_checkpoint(weights, 'pose2d'))


def make_loader(
    args: argparse.Namespace, mixture: Mixture, plan: Plan, device: torch.device
) -> DataLoader:
    """Return endless batches, until the budget is used."""
    strength = Strength.gentle() if args.gentle else Strength()
    return DataLoader(
        WindowDataset(mixture, plan.config.past, plan.config.future, strength),
        batch_sampler=plan,
        num_workers=args.workers,
        pin_memory=device.type == 'cuda',
    )


if __name__ == '__main__':
    parser = argparse.ArgumentParser(description=__doc__)
    add_arguments(parser)
    sys.exit(run(parser.parse_args()))
