"""Train the person detector: python -m diffpose_ros.train.detector --data DIR --out DIR."""

import argparse
from collections.abc import Iterator
import logging
from pathlib import Path

import cv2
from diffpose_ros.core.arguments import count
from diffpose_ros.core.checkpoint import load_checkpoint, restore, save_checkpoint
from diffpose_ros.core.detector_network import DetectorNetwork, PADDING, STRIDE
from diffpose_ros.core.device import pick_device
from diffpose_ros.data.frames import Frames
from diffpose_ros.data.rendered import Rendered
from diffpose_ros.train.loop import Budget, Ema, RunFolder
from diffpose_ros.train.scene_parts import photographs
from diffpose_ros.train.scenes import Scene, SceneMaker
import numpy as np
from numpy.typing import NDArray
import torch
from torch import nn, Tensor
from torch.nn import functional as F
from torch.utils.data import DataLoader, get_worker_info, IterableDataset
from tqdm import tqdm

CHANNELS, BLOCKS, NECK = (16, 24, 64, 96, 128), (0, 1, 1, 2, 2), 64
SURE_PERSON, FORGIVING = 0.4, 0.2  # where somebody unlabelled may be, a higher score costs less
BOX_WEIGHT, PARTS_WEIGHT = 2.0, 0.2
PARTS = 'ankle knee hip wrist elbow shoulder neck head_top'.split()
SAVE_EVERY = 200  # steps

Batch = dict[str, Tensor]
logger = logging.getLogger(__name__)


class SceneStream(IterableDataset):
    """Endless training examples; every worker draws its own, by numbers that seed all."""

    def __init__(self, maker: SceneMaker, *seed: int) -> None:
        cv2.setNumThreads(0)  # before its threads start: forked workers cannot take them along
        self._maker, self._seed = maker, seed

    def __iter__(self) -> Iterator[dict[str, NDArray]]:
        info = get_worker_info()
        rng = np.random.default_rng([*self._seed, info.id if info else 0])
        while True:
            yield example(self._maker.draw(rng))


def example(scene: Scene) -> dict[str, NDArray]:
    """
    Return the maps that the network learns from a scene of (H, W), on its grid of cells.

    image   (3, H, W)      uint8
    heat    (h, w)         1 at the centres, falling off like a Gaussian as wide as the box
    box     (4, h, w)      left, top, right, bottom of the person whose heat is highest, pixels
    weight  (h, w)         how much the box counts there
    care    (h, w)         0 where neither answer is wrong: hardly visible people
    parts   (PARTS, h, w)  like heat, of the visible joints; left and right are the same
    unsure  (h, w)         1 where somebody unlabelled may be
    """
    rows, columns = (n // STRIDE for n in scene.unsure.shape)
    heat, weight = np.zeros((2, rows, columns), np.float32)
    care, box = np.ones_like(heat), np.zeros((4, rows, columns), np.float32)
    unsure = cv2.resize(scene.unsure.astype(np.uint8), (columns, rows), interpolation=0)
    for corners, trust in zip(scene.boxes, scene.trust, strict=True):
        bump = gaussian(corners, rows, columns)
        if trust == 0:
            care[bump > 0.1] = 0
            continue
        mine = bump > heat
        heat = np.maximum(heat, bump)
        weight[mine] = trust * np.where(bump[mine] > 0.3, bump[mine], 0)
        box[:, mine] = corners[:, None]
    care[heat == 1] = 1
    image = np.ascontiguousarray(scene.image.transpose(2, 0, 1))
    maps = {'heat': heat, 'box': box, 'weight': weight, 'care': care}
    parts = part_maps(scene, rows, columns)
    return {'image': image, 'unsure': unsure.astype(np.float32), 'parts': parts, **maps}


def part_maps(scene: Scene, rows: int, columns: int) -> NDArray[np.float32]:
    """Return a bump around every visible joint (PARTS, rows, columns)."""
    maps = np.zeros((len(PARTS), rows, columns), np.float32)
    for name, xy in scene.joints:
        part = PARTS.index(name.removeprefix('l_').removeprefix('r_'))
        bump = gaussian(np.concatenate([xy - STRIDE, xy + STRIDE]), rows, columns)
        maps[part] = np.maximum(maps[part], bump)
    return maps


def gaussian(corners: NDArray, rows: int, columns: int) -> NDArray[np.float32]:
    """Return a bump (rows, columns) around a box's centre cell, exactly 1 there."""
    center, sides = (corners[:2] + corners[2:]) / 2, corners[2:] - corners[:2]
    cell = np.clip(np.floor((center + 0.5) / STRIDE), 0, [columns - 1, rows - 1])
    sigma = np.maximum(0.12 * sides / STRIDE, 0.5)
    x = (np.arange(columns) - cell[0]) / sigma[0]
    y = (np.arange(rows) - cell[1]) / sigma[1]
    return np.exp(-(x**2 + y[:, None] ** 2) / 2).astype(np.float32)


def focal_loss(logits: Tensor, target: Tensor, batch: Batch) -> Tensor:
    """
    Return the quality focal loss (Li et al. 2020, eq. 5, beta = 2) per person.

    logits  (B, n, h, w)  of centres, or of parts
    target  (B, n, h, w)  0 to 1
    """
    p = logits.detach().sigmoid()
    loss = (target - p) ** 2 * F.binary_cross_entropy_with_logits(logits, target, reduction='none')
    forgiven = (batch['unsure'][:, None] > 0) & (target < 0.1) & (p > SURE_PERSON)
    counted = batch['care'][:, None] * torch.where(forgiven, FORGIVING, 1.0)
    return (loss * counted).sum() / (batch['heat'] == 1).sum().clamp(min=1)


def box_loss(boxes: Tensor, batch: Batch) -> Tensor:
    """
    Return one minus the generalised IoU (Rezatofighi et al. 2019), weighted mean.

    boxes  (B, 4, h, w)  left, top, right, bottom in pixels
    """
    true, weight = batch['box'], batch['weight']
    low, high = torch.maximum(boxes[:, :2], true[:, :2]), torch.minimum(boxes[:, 2:], true[:, 2:])
    shared = (high - low).clamp(min=0).prod(dim=1)
    union = sides(boxes).prod(dim=1) + sides(true).prod(dim=1) - shared
    hull_low = torch.minimum(boxes[:, :2], true[:, :2])
    hull = (torch.maximum(boxes[:, 2:], true[:, 2:]) - hull_low).prod(dim=1)
    giou = shared / union.clamp(min=1e-3) - (hull - union) / hull.clamp(min=1e-3)
    return (weight * (1 - giou)).sum() / weight.sum().clamp(min=1)


def sides(boxes: Tensor) -> Tensor:
    """Return width and height (B, 2, h, w) of corners (B, 4, h, w)."""
    return boxes[:, 2:] - boxes[:, :2]


def learner() -> nn.ModuleDict:
    """
    Return the detector's network, and a layer that finds joints.

    Joints are not asked of a detector, but teach it quickly what people look like.
    """
    parts = nn.Conv2d(NECK, len(PARTS), 1)
    nn.init.constant_(parts.bias, -3.0)
    return nn.ModuleDict({'network': DetectorNetwork(CHANNELS, BLOCKS, NECK), 'parts': parts})


class Trainer:
    """The network, its average, its optimiser and where they are kept."""

    def __init__(self, args: argparse.Namespace) -> None:
        if args.size % PADDING:
            raise ValueError(f'size = {args.size}; set it to a multiple of {PADDING}')
        torch.manual_seed(args.seed)
        self._args = args
        self._device = pick_device(args.device)
        self._model = learner().to(self._device, memory_format=torch.channels_last)
        if args.start_from:
            restore(self._model['network'], load_checkpoint(args.start_from, 'detector'))
        self._ema = Ema(self._model, decay=0.998)
        self._optimizer = torch.optim.AdamW(
            self._model.parameters(), lr=args.learning_rate, weight_decay=0.02
        )
        self._budget = Budget(minutes=args.minutes)
        self._folder = RunFolder(args.out)
        if self._resume():
            logger.info('resuming %s at step %d', args.out, self._budget.step)

    def run(self) -> None:
        """Train until the time is up."""
        args = self._args
        frames = Frames(args.data, bystanders=args.bystanders)
        rendered = Rendered(args.synthetic) if args.synthetic else None
        maker = SceneMaker(frames, photographs(), args.size, rendered)
        loader = DataLoader(
            SceneStream(maker, args.seed, self._budget.step),
            batch_size=args.batch,
            num_workers=args.workers,
        )
        for batch in tqdm(loader, unit='step', mininterval=30):
            losses = self._learn({k: v.to(self._device) for k, v in batch.items()})
            self._budget.advance()
            step, done = self._budget.step, self._budget.progress == 1
            if step % 20 == 0:
                minutes = round(self._budget.elapsed_s / 60, 2)
                self._folder.log(step=step, minutes=minutes, **losses)
            if step % SAVE_EVERY == 0 or done:
                self._save()
            if done:
                break

    def _learn(self, batch: Batch) -> dict[str, float]:
        for group in self._optimizer.param_groups:
            group['lr'] = self._args.learning_rate * self._budget.learning_rate_share()
        images = batch['image'].float().div(255).contiguous(memory_format=torch.channels_last)
        with torch.autocast(self._device.type, torch.bfloat16, enabled=self._args.bf16):
            features = self._model['network'].features(images)
            logits, boxes = self._model['network'].answer(features)
            joints = self._model['parts'](features)
        heat = focal_loss(logits[:, None].float(), batch['heat'][:, None], batch)
        parts = focal_loss(joints.float(), batch['parts'], batch)
        box = box_loss(boxes.float(), batch)
        self._optimizer.zero_grad(set_to_none=True)
        (heat + BOX_WEIGHT * box + PARTS_WEIGHT * parts).backward()
        torch.nn.utils.clip_grad_norm_(self._model.parameters(), 10.0)
        self._optimizer.step()
        self._ema.update(self._model)
        losses = {'heat': heat, 'box': box, 'parts': parts}
        return {name: round(loss.item(), 4) for name, loss in losses.items()}

    def _save(self) -> None:
        self._folder.save(self._model, self._ema, self._optimizer, self._budget)
        spent = {'steps': self._budget.step, 'minutes': round(self._budget.elapsed_s / 60, 1)}
        save_checkpoint(
            self._folder.path / 'detector_compact.safetensors',
            'detector',
            {'channels': CHANNELS, 'blocks': BLOCKS, 'neck': NECK},
            self._ema.model['network'].state_dict(),
            {'training': spent},
        )

    def _resume(self) -> bool:
        return self._folder.resume(self._model, self._ema, self._optimizer, self._budget)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument('--data', type=Path, required=True, help='folder with lsp_extended_*')
    parser.add_argument('--synthetic', type=Path, help='folder with pictures_*.tar and .npz')
    parser.add_argument('--bystanders', type=Path, help='NPZ of train.bystanders')
    parser.add_argument('--out', type=Path, required=True, help='state, log and checkpoint')
    parser.add_argument('--minutes', type=float, default=45, help='time over all runs')
    parser.add_argument('--start-from', help='checkpoint whose weights to start from')
    parser.add_argument('--size', type=count, default=128, help='sides of a training picture')
    parser.add_argument('--batch', type=count, default=16, help='pictures per step')
    parser.add_argument('--bf16', action='store_true', help='where the machine is fast at it')
    parser.add_argument('--learning-rate', type=float, default=2e-3, help='highest')
    parser.add_argument('--workers', type=count, default=1, help='processes that make pictures')
    parser.add_argument('--seed', type=int, default=0, help='of all draws')
    parser.add_argument('--device', default='auto', help='auto, cpu, cuda or cuda:N')


def run(args: argparse.Namespace) -> int:
    """Train."""
    Trainer(args).run()
    return 0


def main() -> None:
    """Read the arguments and train."""
    parser = argparse.ArgumentParser(description=__doc__)
    add_arguments(parser)
    logging.basicConfig(level=logging.INFO)
    run(parser.parse_args())


if __name__ == '__main__':
    main()
