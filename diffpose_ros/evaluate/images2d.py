"""`diffpose evaluate images2d`: the 2D estimator on labelled photographs."""

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
import time

from diffpose_ros.core.checkpoint import load_checkpoint
from diffpose_ros.core.config import InferenceConfig, PRECISIONS
from diffpose_ros.core.crop import Crop
from diffpose_ros.core.device import pick_precision
from diffpose_ros.core.gaussian import shares_within
from diffpose_ros.core.people import Box
from diffpose_ros.data.labelled import countable, FOLD_NUMBERS, FOLDS, People, read_people, TORSO
from diffpose_ros.evaluate import pck
from diffpose_ros.evaluate.arguments import json_file
from diffpose_ros.evaluate.figures import write_figures
from diffpose_ros.video2d.estimator import Pose2DBatch, VideoEstimator
import numpy as np
from numpy.typing import NDArray
import torch
from tqdm import tqdm

BATCH = 32
DEFAULT = InferenceConfig()


@dataclass(frozen=True)
class Predictions:
    """
    What the estimator says of N people, in pixels of their pictures.

    xy               (N, J, 2)
    covariance       (N, J, 2, 2)
    crop_covariance  (N, J, 2, 2)  the same in pixels of the crop
    score            (N, J)
    seconds          spent in the estimator
    """

    xy: NDArray[np.float64]
    covariance: NDArray[np.float64]
    crop_covariance: NDArray[np.float64]
    score: NDArray[np.float64]
    seconds: float


def predict(
    answer: Callable[[NDArray[np.uint8]], Pose2DBatch],
    crop_size: tuple[int, int],
    people: People,
    batch: int = BATCH,
    quiet: bool = True,
) -> Predictions:
    """
    Ask for the pose in each person's crop: the tight box of the labelled joints x 1.25.

    answer  returns poses in crops (B, h, w, 3), uint8 RGB
    """
    parts, seconds = [], 0.0
    for start in tqdm(range(0, len(people), batch), disable=quiet):
        rows = range(start, min(start + batch, len(people)))
        crops = [
            Crop.around(Box.around(people.xy[i][people.labelled[i]]), crop_size) for i in rows
        ]
        cuts = np.stack(
            [crop.cut(people.pictures[i]) for crop, i in zip(crops, rows, strict=True)]
        )
        began = time.perf_counter()
        pose = answer(cuts)
        seconds += time.perf_counter() - began
        parts += [
            (crop.to_image(xy), crop.covariance_to_image(covariance), covariance, score)
            for crop, xy, covariance, score in zip(
                crops, pose.xy, pose.covariance, pose.score, strict=True
            )
        ]
    return Predictions(*(np.stack(column) for column in zip(*parts, strict=True)), seconds)


def estimate_single(
    estimator: VideoEstimator, cuts: NDArray[np.uint8], steps: int, ensembles: int
) -> Pose2DBatch:
    """Return the poses in single pictures: windows in which only the key frame is there."""
    features = estimator.features(cuts, estimator.views(ensembles))
    window = features.new_zeros(len(cuts), estimator.slots, *features.shape[1:])
    window[:, estimator.past] = features
    present = torch.zeros(len(cuts), estimator.slots, dtype=torch.bool)
    present[:, estimator.past] = True
    return estimator.estimate(window, present, steps, ensembles)


def measure(people: People, predictions: Predictions) -> dict:
    """Return PCK@0.2 over all labelled joints, by joint, doubled limbs, and the calibration."""
    counted = countable(people.labelled, people.skeleton)
    truth, labelled = people.xy[counted], people.labelled[counted]
    found = predictions.xy[counted]
    correct = pck.correct_joints(found, truth, people.skeleton)
    score = predictions.score[counted]
    limbs = np.array([name[:2] in ('l_', 'r_') for name in people.skeleton.joints])
    return {
        'pck': float(correct[labelled].mean()),
        'pck_limbs': float(correct[labelled & limbs].mean()),
        'pck_per_joint': pck.per_joint(correct, labelled, people.skeleton),
        'doubled': pck.doubled(found, truth, labelled, people.skeleton),
        'ece': pck.expected_calibration_error(score[labelled], correct[labelled]),
        **shares_within((found - truth)[labelled], predictions.covariance[counted][labelled]),
        'people': int(counted.sum()),
    }


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of the command."""
    parser.add_argument('--images', type=Path, required=True, help='tar of pictures')
    parser.add_argument('--labels', type=Path, required=True, help='npz of joints')
    parser.add_argument('--out', type=json_file, required=True, help='JSON file to write')
    parser.add_argument('--checkpoint', default='pose2d_compact', help='name or path')
    parser.add_argument('--steps', type=int, default=DEFAULT.steps, help='denoising steps')
    parser.add_argument('--ensembles', type=int, default=DEFAULT.ensembles, help='noise sets')
    parser.add_argument('--precision', choices=PRECISIONS, default='auto', help='as of the node')
    parser.add_argument(
        '--fold', choices=FOLD_NUMBERS, help='only the people whose file number falls into it'
    )


def run(args: argparse.Namespace) -> int:
    """Evaluate and write the JSON file."""
    effort = InferenceConfig(steps=args.steps, ensembles=args.ensembles)
    device, checkpoint = torch.device('cpu'), load_checkpoint(args.checkpoint, 'pose2d')
    people = read_people(args.images, args.labels)
    if args.fold:
        people = people.take(people.numbers % FOLDS == FOLD_NUMBERS[args.fold])
    people = people.take(countable(people.labelled, people.skeleton))
    if not len(people):
        raise ValueError(
            f'{args.labels} labels nobody to measure; give people with {" and ".join(TORSO)}'
            + (f' and file numbers of fold {args.fold}' if args.fold else '')
        )
    precision = pick_precision(args.precision, device)
    estimator = VideoEstimator.from_checkpoint(checkpoint, device, precision)
    answer = partial(estimate_single, estimator, steps=effort.steps, ensembles=effort.ensembles)
    predictions = predict(answer, estimator.crop_size, people, quiet=False)
    result = measure(people, predictions) | {
        'steps': effort.steps,
        'ensembles': effort.ensembles,
        'ms_per_person': 1000 * predictions.seconds / len(people),
    }
    write_figures(args.out, result)
    return 0
