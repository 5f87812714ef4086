"""
What the parts of the 2D estimator bring when it is trained without them, at small scale.

    python -m benchmarks.ablation2d_retrained --data DIR --labels NPZ --synthetic DIR --out JSON

DIR holds lsp_extended_*, that of --synthetic windows_*.npz and .tar. The backbone of a checkpoint
is frozen, its features of augmented training people are computed once, and every variant of STRL
and decoder starts anew on them, for the same number of steps. People of the validation fold, and
the last shard of rendered windows, measure PCK@0.2. What is already there in --out is kept.
"""

import argparse
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
import json
from pathlib import Path
import sys
from typing import TypeVar
from unittest.mock import patch

from diffpose_ros.core.checkpoint import load_checkpoint, restore
from diffpose_ros.core.crop import Crop
from diffpose_ros.core.files import write_json
from diffpose_ros.core.people import Box
from diffpose_ros.data.labelled import People, read_all, read_split
from diffpose_ros.evaluate.images2d import measure, Predictions
from diffpose_ros.train.augment import Strength
from diffpose_ros.train.loop import Budget
from diffpose_ros.train.pose_trainer import Learner, pose_loss, spread_out, Trainer, WARM_UP
from diffpose_ros.train.stills import Mixture, WindowDataset, Wish
from diffpose_ros.video2d import lmsfi
from diffpose_ros.video2d.calibration import Calibration
from diffpose_ros.video2d.estimator import VideoEstimator
from diffpose_ros.video2d.heatmap import encode
from diffpose_ros.video2d.layers import conv_bn, to_channels_last
from diffpose_ros.video2d.network import NetworkConfig, PoseNetwork
from diffpose_ros.video2d.views import VIEWS
import numpy as np
import torch
from torch import nn, Tensor
from tqdm import tqdm

BATCH, WINDOW_BATCH = 32, 12
LEARNING_RATE = 2e-3
HELD_OUT_FILMS = 250  # the last shard
EFFORTS = [(1, 1), (2, 1), (4, 1), (1, 2), (1, 4)]  # steps S, sets M
ONE_STEP = EFFORTS[:1]


@dataclass(frozen=True)
class Samples:
    """
    What is learnt from: frozen features and the joints to find.

    features  (N, T, C, h/16, w/16)  half precision; T is 1 (the key frame) or all slots
    present   (N, T)
    xy        (N, J, 2)              pixels of the key frame's crop
    weight    (N, J)
    """

    features: Tensor
    present: Tensor
    xy: Tensor
    weight: Tensor

    def batches(self, size: int, seed: int) -> Iterator[dict[str, Tensor]]:
        """Yield batches without end, everybody once before anybody again."""
        generator = torch.Generator().manual_seed(seed)
        while True:
            order = torch.randperm(len(self.xy), generator=generator)
            for rows in order.split(size)[: len(order) // size]:
                yield {name: value[rows] for name, value in vars(self).items()}


@torch.inference_mode()
def sample_views(network: PoseNetwork, people: People, count: int, window: bool) -> Samples:
    """Return samples of random views of the people."""
    config = network.config
    dataset = WindowDataset(
        Mixture((people,), (1,), (1,)), config.past, config.future, Strength.gentle()
    )
    parts = []
    for start in tqdm(range(0, count, BATCH)):
        wishes = [Wish(start + k, config.crop_size, window) for k in range(BATCH)]
        made = [dataset[wish] for wish in wishes]
        batch = {name: torch.from_numpy(np.stack([m[name] for m in made])) for name in made[0]}
        features = spread_out(network, batch['frames'], batch['present']).half()
        parts.append((features, batch['present'], batch['xy'], batch['weight']))
    return Samples(*(torch.cat(column) for column in zip(*parts, strict=True)))


@dataclass(frozen=True)
class HeldOut:
    """People to measure with, their crops, and the features (N, T, V, C, h/16, w/16) of these."""

    people: People
    crops: list[Crop]
    features: Tensor
    present: Tensor


Seen = TypeVar('Seen', Samples, HeldOut)


def key_frames(seen: Seen, past: int) -> Seen:
    """Return what was seen in all slots as if the key frame, at index past, were alone."""
    only = torch.arange(seen.present.shape[1]) == past
    return replace(seen, present=seen.present & only)


def hold_out(estimator: VideoEstimator, people: People) -> HeldOut:
    """Look at people and what was filmed before, each in the crop of the key frame's joints."""
    parts, crops, slots = [], [], estimator.slots
    for i in tqdm(range(len(people))):
        box = Box.around(people.xy[i][people.labelled[i]])
        crops.append(Crop.around(box, estimator.crop_size))
        film = np.stack([crops[-1].cut(f) for f in [*people.earlier[i], people.pictures[i]]])
        parts.append(estimator.features(film, len(VIEWS)))
    window = torch.zeros(len(parts), slots, *parts[0].shape[1:])
    present = torch.zeros(len(parts), slots, dtype=torch.bool)
    filmed = slice(estimator.past + 1 - len(film), estimator.past + 1)
    window[:, filmed], present[:, filmed] = torch.stack(parts), True
    return HeldOut(people, crops, window, present)


class Nothing(nn.Module):
    """A scale that is not there."""

    def find(self, x: Tensor) -> Tensor:
        """Return a mask that nobody uses."""
        return x.new_zeros(len(x), 1, 1, 1)

    def forward(self, A: Tensor, features: Tensor) -> Tensor:
        """Return nothing to add."""
        return A


def whole(network: PoseNetwork) -> None:
    """Change nothing."""


def without_attention(network: PoseNetwork) -> None:
    """Leave the STRL its merge."""
    network.strl.layers = nn.ModuleList()


def scale_1(network: PoseNetwork) -> None:
    """Keep the transformer's scale alone."""
    network.decoder.scale_2, network.decoder.scale_3 = Nothing(), Nothing()


def scales_1_2(network: PoseNetwork) -> None:
    """Leave out the highest scale."""
    network.decoder.scale_3 = Nothing()


def regression(network: PoseNetwork) -> None:
    """Show the decoder no heatmaps and no step."""
    network.decoder.step_scale.register_forward_pre_hook(
        lambda m, inputs: tuple(torch.zeros_like(x) for x in inputs)
    )


def direct_fusion(network: PoseNetwork) -> None:
    """Make room for refined heatmaps, instead of what they look up, beside the features."""
    config, decoder = network.config, network.decoder
    decoder.scale_1.join = nn.Linear(config.dim // 2 + config.dim, config.dim)
    for scale, width in zip(
        (decoder.scale_2, decoder.scale_3), config.decoder_widths, strict=True
    ):
        scale.mix = conv_bn(16 + width, width, 3)


def fuse(refined: Tensor, features: Tensor) -> Tensor:
    """Return refined heatmaps beside features, in place of lmsfi.look_up."""
    return torch.cat([refined, features], dim=1)


Change = Callable[[PoseNetwork], None]


def signal_scale(value: float) -> Change:
    """Return what makes the heatmaps so much stronger against the noise; shipped is 0.5."""

    def change(network: PoseNetwork) -> None:
        network.config = replace(network.config, signal_scale=value)

    return change


SAMPLED: dict[str, Change] = {  # measured at several steps and sets, too
    'everything': whole,
    'signal scale 1': signal_scale(1.0),
    'signal scale 2': signal_scale(2.0),
}
PARTS: dict[str, Change] = {
    **SAMPLED,
    'regression (x_t = 0, t = 0)': regression,
    'direct fusion': direct_fusion,
    'scale 1': scale_1,
    'scales 1 and 2': scales_1_2,
    'no attention in the STRL': without_attention,
}
WINDOWS: dict[str, tuple[Change, bool]] = {
    'the key frame alone': (whole, False),
    'the window': (whole, True),
    'the window, no attention': (without_attention, True),
}


class FromFeatures(Learner):
    """Learns STRL and decoder alone, from frozen features."""

    def loss(self, batch: dict[str, Tensor], progress: float) -> Tensor:
        """Return the loss of the diffusion model, as in the second half of a training."""
        config = self.network.config
        window, present = batch['features'].float(), batch['present']
        if window.shape[1] == 1:
            window = window.new_zeros(len(window), config.slots, *window.shape[2:])
            window[:, config.past] = batch['features'][:, 0].float()
            present = present.new_zeros(len(window), config.slots)
            present[:, config.past] = True
        rows, columns = (4 * n for n in window.shape[3:])
        target = encode(batch['xy'], rows, columns)
        predicted = self.denoise(window, present, target)
        return pose_loss(predicted, target, batch['weight'], WARM_UP + (1 - WARM_UP) * progress)


def fit(
    frozen: PoseNetwork, change: Change, sources: list[Iterator], steps: int, seed: int
) -> PoseNetwork:
    """Return the network with STRL and decoder anew, trained on the sources in turn."""
    torch.manual_seed(seed)
    network = PoseNetwork(frozen.config)
    change(network)
    network.backbone = frozen.backbone
    trainer = Trainer(FromFeatures(network), torch.device('cpu'), LEARNING_RATE, bf16=False)
    budget = Budget(steps=steps)
    while budget.progress < 1:
        trainer.step(next(sources[budget.step % len(sources)]), budget)
        budget.advance()
    return trainer.ema.model.network


def judge(network: PoseNetwork, held_out: HeldOut, S: int, M: int) -> dict[str, float]:
    """Return PCK@0.2 of all joints and of the limbs."""
    people = held_out.people
    plain = Calibration.plain(len(people.skeleton.joints))
    estimator = VideoEstimator(network, plain, torch.device('cpu'))
    views, parts = estimator.views(M), []
    for rows in torch.arange(len(people)).split(BATCH):
        window, present = held_out.features[rows, :, :views], held_out.present[rows]
        parts.append(estimator.estimate(window, present, S, M))
    xy, covariance, score = (
        np.concatenate([getattr(p, name) for p in parts]) for name in ('xy', 'covariance', 'score')
    )
    in_pictures = np.stack([c.to_image(j) for c, j in zip(held_out.crops, xy, strict=True)])
    found = Predictions(in_pictures, covariance, covariance, score, 0.0)
    measured = measure(people, found)
    return {name: measured[name] for name in ('pck', 'pck_limbs')}


def settings(change: Change) -> ExitStack:
    """Return what must be entered while a variant is trained and measured."""
    stack = ExitStack()
    if change is direct_fusion:
        stack.enter_context(patch.object(lmsfi, 'mask_of', lambda refined: refined))
        stack.enter_context(patch.object(lmsfi, 'look_up', fuse))
    return stack


@dataclass
class Ablation:
    """
    Trains variants and collects their numbers.

    steps  of every training
    seeds  of the trainings of every variant
    out    JSON file; what is there already is not done again
    """

    frozen: PoseNetwork
    steps: int
    seeds: list[int]
    out: Path

    def results(self) -> dict[str, dict[str, dict[str, float]]]:
        """Return what was measured so far: by variant and seed, by steps and sets."""
        return json.loads(self.out.read_text()) if self.out.is_file() else {}

    def on_photographs(self, photographs: Samples, held_out: HeldOut) -> None:
        """Leave out parts of the network, which sees single frames."""
        for seed in self.seeds:
            for name, change in PARTS.items():
                efforts = EFFORTS if name in SAMPLED else ONE_STEP
                batches = [photographs.batches(BATCH, seed)]
                self._run(f'{name}, seed {seed}', change, batches, seed, held_out, efforts)

    def on_windows(self, photographs: Samples, films: Samples, held_out: HeldOut) -> None:
        """Leave out earlier frames; photographs are every second batch."""
        past = self.frozen.config.past
        for seed in self.seeds:
            for name, (change, window) in WINDOWS.items():
                of_film, seen = (x if window else key_frames(x, past) for x in (films, held_out))
                batches = [photographs.batches(BATCH, seed), of_film.batches(WINDOW_BATCH, seed)]
                self._run(f'{name}, seed {seed}', change, batches, seed, seen, ONE_STEP)

    def _run(
        self,
        name: str,
        change: Change,
        sources: list[Iterator[dict[str, Tensor]]],
        seed: int,
        held_out: HeldOut,
        efforts: list[tuple[int, int]],
    ) -> None:
        results = self.results()
        if name in results:
            return
        with settings(change):
            network = fit(self.frozen, change, sources, self.steps, seed)
            found = {f'S={S} M={M}': judge(network, held_out, S, M) for S, M in efforts}
        write_json(self.out, results | {name: found})


def frozen_network(checkpoint: str, dim: int) -> PoseNetwork:
    """Return the network of a checkpoint, its STRL and decoder of another width and untrained."""
    loaded = load_checkpoint(checkpoint, 'pose2d')
    network = PoseNetwork(NetworkConfig.from_dict(loaded.config | {'pretrained': ''}))
    restore(network, loaded)
    config = replace(network.config, dim=dim, decoder_widths=(dim // 2, dim // 4))
    anew = PoseNetwork(config)
    anew.backbone = to_channels_last(network.backbone)
    return anew.eval().requires_grad_(False)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument('--data', type=Path, required=True, help='folder with lsp_extended_*')
    parser.add_argument('--labels', type=Path, required=True, help='completed by a teacher (.npz)')
    parser.add_argument('--synthetic', type=Path, required=True, help='folder with windows_*')
    parser.add_argument('--checkpoint', default='pose2d_compact', help='whose backbone')
    parser.add_argument('--views', type=int, default=4096, help='random ones of photographs')
    parser.add_argument('--window-views', type=int, default=768, help='of rendered windows')
    parser.add_argument('--dim', type=int, default=64, help='channels of F')
    parser.add_argument('--steps', type=int, default=300)
    parser.add_argument('--seeds', type=int, nargs='+', default=[0, 1])
    parser.add_argument('--out', type=Path, required=True, help='JSON file to write')


def main() -> int:
    """Compute the features, train all variants, write the numbers."""
    parser = argparse.ArgumentParser(description=__doc__)
    add_arguments(parser)
    args = parser.parse_args()
    torch.set_num_threads(1)
    frozen = frozen_network(args.checkpoint, args.dim)
    ablation = Ablation(frozen, args.steps, args.seeds, args.out)
    estimator = VideoEstimator(frozen, Calibration.plain(15), torch.device('cpu'))
    learnt, validating = read_split(args.data, 'lsp_extended_train', args.labels)
    photographs = sample_views(frozen, learnt, args.views, window=False)
    ablation.on_photographs(photographs, hold_out(estimator, validating))
    films = read_all(args.synthetic, 'windows_*.npz')
    last = np.arange(len(films)) >= len(films) - HELD_OUT_FILMS
    windows = sample_views(frozen, films.take(~last), args.window_views, window=True)
    ablation.on_windows(photographs, windows, hold_out(estimator, films.take(last)))
    return 0


if __name__ == '__main__':
    sys.exit(main())
