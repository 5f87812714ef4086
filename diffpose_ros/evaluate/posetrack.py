"""`diffpose evaluate posetrack`: predicted people against labels, by the rules of PoseTrack."""

import argparse
from collections.abc import Iterable
from dataclasses import replace
import logging
from pathlib import Path, PurePath
from typing import Any

from diffpose_ros.core.skeleton import POSETRACK_15
from diffpose_ros.data.formats.files import read_labels
from diffpose_ros.data.formats.labels import FrameLabels, LabelFile, NO_SCORE, PersonLabels
from diffpose_ros.evaluate.arguments import check_output, json_file
from diffpose_ros.evaluate.figures import write_figures
from diffpose_ros.evaluate.posetrack_ap import average_precision, table
from diffpose_ros.evaluate.posetrack_people import add_estimation_arguments, people_estimator
import numpy as np
from tqdm import tqdm

Pair = tuple[FrameLabels, FrameLabels]

logger = logging.getLogger(__name__)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of the command."""
    parser.add_argument(
        '--ground-truth', type=Path, required=True, help='folder of label files, one a video'
    )
    parser.add_argument(
        '--predictions',
        type=Path,
        required=True,
        help='folder of files of the same names; with --images they are written first',
    )
    add_estimation_arguments(parser)
    parser.add_argument('--out', type=json_file, required=True, help='JSON file to write')


def run(args: argparse.Namespace) -> int:
    """Evaluate and write the figures."""
    check_output(args.out, args.ground_truth, args.predictions)
    if args.images:
        check_output(args.predictions, args.ground_truth)
        people = people_estimator(args)
        for path in tqdm(label_files(args.ground_truth), unit='video', disable=None):
            people.write(path, args.predictions / path.name)
    write_figures(args.out, evaluate(args.ground_truth, args.predictions))
    return 0


def label_files(folder: Path) -> list[Path]:
    """Return the label files of a folder; ValueError where there is none."""
    files = sorted(folder.glob('*.json'))
    if not files:
        raise ValueError(f'{folder} holds no .json files; give the folder of the labels')
    return files


def evaluate(ground_truth: Path, predictions: Path) -> dict[str, Any]:
    """Return average precision in per cent, by the columns of the papers and by joint."""
    files = label_files(ground_truth)
    pairs = [
        pair
        for path in tqdm(files, unit='video', disable=None)
        for pair in pair_frames(read_labels(path), read_labels(predictions / path.name))
    ]
    warn_of_missing_scores(pairs)
    ap = average_precision(pairs)
    evaluated = [pair for pair in pairs if pair[0].labelled]
    return {
        'ap': without_nan(table(ap)),
        'ap_per_joint': without_nan(dict(zip(POSETRACK_15.joints, ap.tolist(), strict=True))),
        'videos': len(files),
        'frames': len(evaluated),
        'people': sum(len(truth.people) for truth, _ in evaluated),
        'predicted_people': sum(len(found.people) for _, found in evaluated),
    }


def pair_frames(truth: LabelFile, found: LabelFile) -> list[Pair]:
    """Return labels and predictions of each frame; raise ValueError when they do not fit."""
    if len(truth.frames) != len(found.frames):
        raise ValueError(
            f'{found.name}: {len(found.frames)} predicted frames, the labels have'
            f' {len(truth.frames)}; write every frame, also those without people'
        )
    for label, prediction in zip(truth.frames, found.frames, strict=True):
        check_pair(label, prediction)
    pairs = zip(truth.frames, found.frames, strict=True)
    if truth.format == 'posetrack21':
        return [(in_picture(label), in_picture(prediction)) for label, prediction in pairs]
    return list(pairs)


def check_pair(label: FrameLabels, prediction: FrameLabels) -> None:
    """Raise ValueError when these are two frames, or a track is twice in one."""
    if PurePath(label.name).name != PurePath(prediction.name).name:
        raise ValueError(
            f'predictions for {prediction.name} where the labels have {label.name};'
            ' write the frames in the order of the labels'
        )
    tracks = [p.track_id for p in prediction.people if p.track_id is not None]
    if len(set(tracks)) < len(tracks):
        raise ValueError(f'{prediction.name} has a track_id twice; give each person its own')


def in_picture(frame: FrameLabels) -> FrameLabels:
    """Return the frame as PoseTrack21 counts it: a joint is there if x > 0 and y > 0."""
    return replace(frame, people=tuple(keep_positive(person) for person in frame.people))


def keep_positive(person: PersonLabels) -> PersonLabels:
    """Return the person without joints at or beyond the left and upper border."""
    positive = (person.xy > 0).all(axis=1, keepdims=True)
    return replace(person, xy=np.where(positive, person.xy, np.nan))


def warn_of_missing_scores(pairs: Iterable[Pair]) -> None:
    """Log how many predicted joints have no score: they are ranked last."""
    missing = sum(
        int((person.labelled & (person.score == NO_SCORE)).sum())
        for _, found in pairs
        for person in found.people
    )
    if missing:
        logger.warning('%d predicted joints have no score; they are ranked last', missing)


def without_nan(figures: dict[str, float]) -> dict[str, float | None]:
    """Return the figures with None, which JSON knows, where there is none."""
    return {name: None if np.isnan(value) else value for name, value in figures.items()}
