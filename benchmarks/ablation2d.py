"""
What the 2D estimator relies on: PCK@0.2 with one part at a time taken out of the trained network.

    python -m benchmarks.ablation2d --data DIR                       # photographs, validation fold
    python -m benchmarks.ablation2d --video MP4 --labels NPZ         # parts of the window

DIR holds lsp_extended_*. Nothing is trained again: a part that is missed when it is taken out
is used; the reverse is not proved. Crops are those of the true joints.
"""

import argparse
from collections import deque
from collections.abc import Callable, Iterator
from functools import partial
from itertools import islice
import json
from pathlib import Path
import sys
from unittest.mock import patch

from diffpose_ros.core.checkpoint import load_checkpoint, restore
from diffpose_ros.core.clip import append_apart, NANOSECONDS, with_later
from diffpose_ros.core.config import InferenceConfig
from diffpose_ros.core.people import Box, Frame
from diffpose_ros.core.skeleton import H36M_17
from diffpose_ros.core.stage2d import SPACING_S, Stage2D
from diffpose_ros.core.track import Track
from diffpose_ros.data.labelled import read_split
from diffpose_ros.evaluate.clip import LIMB_JOINTS
from diffpose_ros.evaluate.clip_labels import add_clock_argument, ClipLabels, read_labels
from diffpose_ros.evaluate.images2d import estimate_single, measure, predict
from diffpose_ros.evaluate.pck import correct_joints
from diffpose_ros.offline.video import VideoReader
from diffpose_ros.video2d import lmsfi
from diffpose_ros.video2d.calibration import Calibration
from diffpose_ros.video2d.estimator import VideoEstimator
from diffpose_ros.video2d.network import NetworkConfig, PoseNetwork
import numpy as np
import torch
from torch import Tensor

Change = Callable[[PoseNetwork], None]
ENDS = ('wrist', 'ankle')
EVERY = 3  # frames of a video between two that are looked at
WINDOWS = {
    'the frame alone': (1, False),
    'and two earlier ones': (3, False),
    'and two later ones': (3, True),
}


def silence(part: str) -> Change:
    """Return what makes a part of the network answer zeros."""

    def change(network: PoseNetwork) -> None:
        network.get_submodule(part).register_forward_hook(lambda m, i, out: torch.zeros_like(out))

    return change


def skip_attention(network: PoseNetwork) -> None:
    """Let the layers of the STRL pass on what they get."""
    for layer in network.strl.layers:
        layer.register_forward_hook(lambda m, inputs, out: inputs[0])


def forget_noise(network: PoseNetwork) -> None:
    """Let the decoder see no noisy heatmap: a regression from F."""
    scale = network.decoder.step_scale
    scale.register_forward_pre_hook(lambda m, i: (torch.zeros_like(i[0]), i[1]))


def everywhere(A: Tensor, features: Tensor) -> Tensor:
    """Look up with a mask of ones."""
    return torch.cat([features, features], dim=1)


def nowhere(A: Tensor, features: Tensor) -> Tensor:
    """Look up with a mask of zeros."""
    return torch.cat([torch.zeros_like(features), features], dim=1)


PARTS: dict[str, Change] = {
    'nothing': lambda network: None,
    'the noisy heatmaps': forget_noise,
    'the attention of the STRL': skip_attention,
    'scale 1 (1/16, transformer)': silence('decoder.scale_1'),
    'scale 2 (1/8)': silence('decoder.scale_2'),
    'scale 3 (1/4)': silence('decoder.scale_3'),
}
LOOK_UPS = {'the mask A (all ones)': everywhere, 'what A looks up (all zeros)': nowhere}
EFFORTS = [(1, 1), (2, 1), (4, 1), (8, 1), (1, 2), (1, 4), (4, 2), (4, 4)]


def estimator(checkpoint: str, change: Change = PARTS['nothing']) -> VideoEstimator:
    """Return the estimator of a checkpoint, its network changed."""
    loaded = load_checkpoint(checkpoint, 'pose2d')
    config = NetworkConfig.from_dict(loaded.config | {'pretrained': ''})
    network = PoseNetwork(config)
    restore(network, loaded)
    change(network.eval())
    calibration = Calibration.from_dict(loaded.extras['calibration'], config.joints)
    return VideoEstimator(network, calibration, torch.device('cpu'))


def on_photographs(data: Path, checkpoint: str) -> dict[str, dict[str, float]]:
    """Return PCK of each variant on the people who validate."""
    _, people = read_split(data, 'lsp_extended_train')

    def judge(estimator: VideoEstimator, steps: int = 1, ensembles: int = 1) -> dict[str, float]:
        answer = partial(estimate_single, estimator, steps=steps, ensembles=ensembles)
        measured = measure(people, predict(answer, estimator.crop_size, people))
        ends = [measured['pck_per_joint'][f'{side}_{end}'] for side in 'lr' for end in ENDS]
        chosen = {name: measured[name] for name in ('pck', 'pck_limbs', 'ece', 'doubled')}
        return {**chosen, 'pck_ends': float(np.mean(ends))}

    whole = estimator(checkpoint)
    results = {f'S={S} M={M}': judge(whole, S, M) for S, M in EFFORTS}
    for name, change in PARTS.items():
        results[f'without {name}'] = judge(estimator(checkpoint, change))
    for name, instead in LOOK_UPS.items():
        with patch.object(lmsfi, 'look_up', instead):
            results[f'without {name}'] = judge(whole)
    return results


def on_video(video: Path, told: ClipLabels, checkpoint: str) -> dict[str, float]:
    """Return PCK of the limbs by how much of the window is there."""
    stage = Stage2D(estimator(checkpoint))
    film = islice(VideoReader(video), len(told.joints_px))
    frames = [Frame(image, round(time_s * NANOSECONDS)) for time_s, image in film]
    return {
        name: float(np.mean(list(right_joints(stage, frames, told.joints_px, *window))))
        for name, window in WINDOWS.items()
    }


def right_joints(
    stage: Stage2D, frames: list[Frame], truth: np.ndarray, window: int, look_ahead: bool
) -> Iterator[np.ndarray]:
    """
    Yield for every person in every n-th frame which limb joints are right.

    truth       (frames, people, 17, 2)
    window      frames that are looked at, the newest and earlier ones
    look_ahead  at as many later ones, too
    """
    settings, kept = InferenceConfig(window=window), deque[Frame](maxlen=stage.frames_needed)
    film = with_later(frames, stage.later_frames, SPACING_S)
    for t, (frame, later) in enumerate(film):
        append_apart(kept, frame, SPACING_S)
        people = [joints for joints in truth[t] if np.isfinite(joints).all()]
        if t % EVERY or not people:
            continue
        tracks = [Track('', Box.around(joints), 0, 0) for joints in people]
        poses = stage.estimate(kept, tracks, settings, later if look_ahead else ())
        found = np.stack([pose.xy for pose in poses])
        yield from correct_joints(found, np.stack(people), H36M_17)[:, LIMB_JOINTS]


def main() -> int:
    """Measure and write the numbers as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--data', type=Path, help='folder with lsp_extended_*')
    parser.add_argument('--video', type=Path, help='with true joints in --labels')
    parser.add_argument('--labels', type=Path, help='as for diffpose evaluate clip')
    add_clock_argument(parser)
    parser.add_argument('--checkpoint', default='pose2d_compact', help='name or path')
    args = parser.parse_args()
    if not (args.data or (args.video and args.labels)):
        parser.error('give --data, or --video and --labels')
    if args.data:
        result = on_photographs(args.data, args.checkpoint)
    else:
        labels = read_labels(args.labels, args.labels_ahead)
        result = on_video(args.video, labels, args.checkpoint)
    sys.stdout.write(json.dumps(result, indent=2) + '\n')
    return 0


if __name__ == '__main__':
    sys.exit(main())
