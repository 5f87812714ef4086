"""
The person detector on held-out pictures, or on a video with known joints.

A detection is right when it overlaps a labelled body, as far as the picture shows it, that no
better detection took with an intersection over union above 0.5. In the pictures only one person
each is labelled: detections of the others count as wrong, so the true precision is higher than
the figure.
"""

import argparse
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
import time

from diffpose_ros.core.arguments import count
from diffpose_ros.core.checkpoint import load_checkpoint
from diffpose_ros.core.config import DetectorConfig
from diffpose_ros.core.detector import body_corners, PersonDetector
from diffpose_ros.core.files import read_arrays
from diffpose_ros.core.people import Box, corners_of, overlaps
from diffpose_ros.data.frames import Frames
from diffpose_ros.data.labelled import FOLD_NUMBERS
from diffpose_ros.evaluate.arguments import json_file
from diffpose_ros.evaluate.figures import write_figures
from diffpose_ros.evaluate.posetrack_ap import joint_ap
from diffpose_ros.offline.video import VideoReader
import numpy as np
from numpy.typing import NDArray
import torch
from tqdm import tqdm

Floats = NDArray[np.floating]
LEAST_IOU = 0.5
DEFAULT = DetectorConfig()


@dataclass(frozen=True)
class PictureResult:
    """
    What was found in one picture.

    scores  (n,)  of the detections, best first
    right   (n,)  whether each found a labelled body
    people  labelled bodies
    ms      time of the detection
    """

    scores: Floats
    right: NDArray[np.bool_]
    people: int
    ms: float


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument('--checkpoint', default='detector_compact', help='name or path')
    parser.add_argument('--images', type=Path, help='folder that holds lsp_extended_frames.tar')
    parser.add_argument(
        '--fold', choices=FOLD_NUMBERS, default='test', help='which held-out pictures'
    )
    parser.add_argument('--video', type=Path, help='instead of --images, with --labels')
    parser.add_argument('--labels', type=Path, help='NPZ with joints_px of every frame')
    parser.add_argument(
        '--longer-side', type=count, default=DEFAULT.longer_side, help='of the largest view, px'
    )
    parser.add_argument(
        '--threads', type=count, default=2, help='processor threads of the network'
    )
    parser.add_argument('--out', type=json_file, required=True, help='JSON with the figures')


def run(args: argparse.Namespace) -> int:
    """Evaluate, and write the figures."""
    if (args.images is None) == (args.video is None) or bool(args.video) != bool(args.labels):
        raise ValueError('give either --images, or --video and --labels')
    longer_side = DetectorConfig(longer_side=args.longer_side).longer_side  # in its range
    torch.set_num_threads(args.threads)
    checkpoint = load_checkpoint(args.checkpoint, 'detector')
    detector = PersonDetector.from_checkpoint(
        checkpoint, torch.device('cpu'), longer_side=longer_side
    )
    detector.warm_up()
    pictures = film(args.video, args.labels) if args.video else stills(args.images, args.fold)
    outcomes = [look(detector, image, bodies) for image, bodies in tqdm(pictures, unit='picture')]
    if not outcomes:
        raise ValueError('there is no picture to measure; give labels of some, or another --fold')
    write_figures(args.out, {'model': checkpoint.model_id, **measure(outcomes)})
    return 0


def stills(folder: Path, fold: str) -> Iterable[tuple[NDArray[np.uint8], list[Floats]]]:
    """Yield held-out pictures (H, W, 3) and the corners of their labelled body."""
    frames = Frames(folder, FOLD_NUMBERS[fold])
    for i in range(len(frames)):
        yield frames[i].image, [body_corners(frames[i].points)]


def film(video: Path, labels: Path) -> Iterable[tuple[NDArray[np.uint8], list[Floats]]]:
    """Yield the frames of a video (H, W, 3) and the corners of their labelled bodies."""
    joints = read_arrays(labels, {'joints_px': 'numbers F [P] J 2'})['joints_px']
    joints = joints[:, None] if joints.ndim == 3 else joints  # one person
    for image, people in zip(VideoReader(video).labelled(len(joints)), joints, strict=True):
        yield image, [body_corners(one) for one in people if np.isfinite(one).all()]


def look(
    detector: PersonDetector, image: NDArray[np.uint8], bodies: list[Floats]
) -> PictureResult:
    """Detect in one picture and compare."""
    start = time.perf_counter()
    boxes = detector.detect(image)
    ms = 1000 * (time.perf_counter() - start)
    scores, shown = np.array([box.score for box in boxes]), shown_of(bodies, image)
    return PictureResult(scores, rightness(boxes, shown), len(shown), ms)


def shown_of(bodies: Sequence[Floats], image: NDArray[np.uint8]) -> list[Floats]:
    """Return the corners of bodies cut at the border of the picture, without those beyond it."""
    height, width = image.shape[:2]
    cut = [np.clip(body, -0.5, np.array([width, height] * 2) - 0.5) for body in bodies]
    return [body for body in cut if (body[2:] > body[:2]).all()]


def rightness(boxes: Sequence[Box], bodies: Sequence[Floats]) -> NDArray[np.bool_]:
    """Return which boxes, best first, find a body (4,) that no earlier one found."""
    left = list(bodies)
    right = np.zeros(len(boxes), bool)
    for i, box in enumerate(boxes):
        (iou,), _ = overlaps(corners_of([box]), np.reshape(left, (-1, 4)))
        if iou.max(initial=0) > LEAST_IOU:
            right[i] = True
            del left[int(iou.argmax())]
    return right


def measure(outcomes: Sequence[PictureResult]) -> dict[str, float]:
    """Return the figures; precision, recall and false alarms at the default threshold."""
    threshold = DEFAULT.score_threshold
    scores = np.concatenate([outcome.scores for outcome in outcomes])
    right = np.concatenate([outcome.right for outcome in outcomes])
    people = sum(outcome.people for outcome in outcomes)
    counted = scores >= threshold
    return {
        'pictures': len(outcomes),
        'people': people,
        'threshold': threshold,
        'precision': float(right[counted].mean()) if counted.any() else 0.0,
        'recall': float(right[counted].sum() / max(people, 1)),
        'false_per_picture': float((~right[counted]).sum() / max(len(outcomes), 1)),
        'ap_50': joint_ap(scores, right, people) / 100 if people else 0.0,
        'ms_per_picture': float(np.median([outcome.ms for outcome in outcomes])),
    }
