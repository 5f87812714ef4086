"""
Turn a training run into a calibrated checkpoint, also while the run goes on.

    python -m diffpose_ros.train.export2d --run RUN --data DIR --labels NPZ --out models/NAME

Runs of different seeds that started from the same weights may be given together, and their start:
the mean of the weights is better than each of them (Wortsman et al. 2022, model soups).
"""

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from functools import partial
import json
from pathlib import Path
import sys
from typing import Any

from diffpose_ros.core.checkpoint import load_checkpoint, save_checkpoint
from diffpose_ros.core.config import InferenceConfig
from diffpose_ros.core.gaussian import squared_mahalanobis, squared_radius
from diffpose_ros.data.labelled import People, read_split
from diffpose_ros.evaluate import pck
from diffpose_ros.evaluate.images2d import estimate_single, measure, predict, Predictions
from diffpose_ros.train.loop import part, RunFolder
from diffpose_ros.video2d.calibration import Calibration, fit_scores
from diffpose_ros.video2d.estimator import VideoEstimator
from diffpose_ros.video2d.network import NetworkConfig, PoseNetwork
import numpy as np
import torch
from torch import Tensor

DEFAULT = InferenceConfig()  # what calibrates, because it is what most people use
FEW = 30  # labelled joints below which a fit says nothing
NEVER_SEEN = (-12.0, 0.0, 0.0)  # weights that give a joint nobody labelled the score 0


def calibrate(found: Predictions, people: People) -> Calibration:
    """
    Fit scores and covariances to people that the network was not trained on.

    found  with plain calibration: its scores are the peaks themselves
    """
    correct = pck.correct_joints(found.xy, people.xy, people.skeleton)
    score = fit_scores(found.score, found.crop_covariance, correct, people.labelled)
    score[people.labelled.sum(axis=0) < FEW] = NEVER_SEEN
    return Calibration(score, fit_covariances(found, people))


def fit_covariances(found: Predictions, people: People) -> np.ndarray:
    """Return factors (J,) that put half of the joints within the half-probability ellipse."""
    distance = squared_mahalanobis(found.xy - people.xy, found.covariance)
    overall = np.median(distance[people.labelled])
    medians = [
        np.median(column[seen]) if seen.sum() >= FEW else overall
        for column, seen in zip(distance.T, people.labelled.T, strict=True)
    ]
    return np.array(medians) / squared_radius(0.5, 2)


def mean_of(parts: Sequence[Mapping[str, Tensor]]) -> dict[str, Tensor]:
    """Return the mean of tensors by name; of whole numbers, the first."""
    first = parts[0]
    return {
        name: torch.stack([tensors[name] for tensors in parts]).mean(dim=0)
        if value.is_floating_point()
        else value
        for name, value in first.items()
    }


def read_runs(runs: Sequence[Path]) -> tuple[PoseNetwork, list[dict[str, Any]]]:
    """
    Return the mean of the runs' newest averages, and how long each was trained.

    raises  ValueError when the runs trained different networks
    """
    configs, weights, lengths = zip(*(read_run(run) for run in runs), strict=True)
    if any(other != configs[0] for other in configs):
        names = ', '.join(str(run) for run in runs)
        raise ValueError(f'{names} trained different networks; export them one by one')
    network = PoseNetwork(NetworkConfig.from_dict(configs[0]))
    network.load_state_dict(mean_of(weights))
    return network, [length for length in lengths if length]


def read_run(run: Path) -> tuple[dict[str, Any], Mapping[str, Tensor], dict[str, Any]]:
    """Return config, weights and length of a run; of a checkpoint the length is empty."""
    if not run.is_dir():
        checkpoint = load_checkpoint(str(run), 'pose2d')
        return checkpoint.config, checkpoint.tensors, {}
    tensors, told = RunFolder(run).read()
    length = {'step': told['step'], 'minutes': told['elapsed_s'] / 60}
    return json.loads((run / 'config.json').read_text()), part(tensors, 'ema.network.'), length


def export_run(runs: Sequence[Path], validation: People, out: Path) -> dict[str, Any]:
    """Calibrate the mean of runs, write it as a checkpoint and return its measures."""
    network, lengths = read_runs(runs)
    config = network.config
    plain = Calibration.plain(len(config.joints.joints))
    estimator = VideoEstimator(network, plain, torch.device('cpu'))
    found = predict(
        partial(estimate_single, estimator, steps=DEFAULT.steps, ensembles=DEFAULT.ensembles),
        config.crop_size,
        validation,
        quiet=False,
    )
    calibration = calibrate(found, validation)
    scores = calibration.scores(found.score, found.crop_covariance)
    measures = measure(validation, replace(found, score=scores))
    extras = {
        'calibration': calibration.to_dict(config.joints),
        'training': lengths,
        'validation': measures,
    }
    save_checkpoint(out, 'pose2d', asdict(config), network.state_dict(), extras)
    return measures


def main() -> int:
    """Export from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        '--run', type=Path, required=True, nargs='+', help='folder of each run, or a checkpoint'
    )
    parser.add_argument('--data', type=Path, required=True, help='folder with lsp_extended_*')
    parser.add_argument('--labels', type=Path, help='those completed by a teacher, for the nose')
    parser.add_argument('--out', type=Path, required=True, help='path without ending')
    args = parser.parse_args()
    _, validation = read_split(args.data, 'lsp_extended_train', args.labels)
    measures = export_run(args.run, validation, args.out)
    sys.stdout.write(json.dumps(measures, indent=2) + '\n')
    return 0


if __name__ == '__main__':
    sys.exit(main())
