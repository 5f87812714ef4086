"""
People in PoseTrack's frames by the 2D estimator, in files that the official evaluators read.

Each person is cut out of the frames around by one crop, as the paper does it. Nobody is followed:
track_id numbers the people of one frame, because average precision asks for no more.
"""

import argparse
from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

from diffpose_ros.core.checkpoint import load_checkpoint
from diffpose_ros.core.config import InferenceConfig
from diffpose_ros.core.crop import Crop
from diffpose_ros.core.detector import PersonDetector
from diffpose_ros.core.device import pick_device, pick_precision
from diffpose_ros.core.people import Box
from diffpose_ros.core.skeleton import POSETRACK_15
from diffpose_ros.data.formats.files import PREDICTION_FORMATS, read_labels, write_predictions
from diffpose_ros.data.formats.labels import box_of, FrameLabels, PersonLabels
from diffpose_ros.data.posetrack import frames_around, Picture, read_picture
from diffpose_ros.video2d.estimator import VideoEstimator
import numpy as np
import torch
from tqdm import tqdm

SPACING = 3  # frames of 25 to 30 Hz between those of a window, as far apart as on a robot

BOXES = ('labels', 'detector')
DEFAULT = InferenceConfig()

Find = Callable[[Picture], list[Box]]


def add_estimation_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of the estimation."""
    parser.add_argument(
        '--images',
        type=Path,
        help='folder from which the file names of the labels start: estimate the people',
    )
    parser.add_argument(
        '--boxes', choices=BOXES, default=BOXES[0], help='of the people to estimate, by whom'
    )
    parser.add_argument('--checkpoint', default='pose2d_compact', help='name or path')
    parser.add_argument('--steps', type=int, default=DEFAULT.steps, help='denoising steps')
    parser.add_argument('--ensembles', type=int, default=DEFAULT.ensembles, help='noise sets')
    parser.add_argument('--device', default='auto', help='auto, cpu, cuda or cuda:N')


def people_estimator(args: argparse.Namespace) -> 'PeopleEstimator':
    """Load what the options name."""
    effort = InferenceConfig(steps=args.steps, ensembles=args.ensembles)
    device = pick_device(args.device)
    precision = pick_precision('auto', device)
    pose2d = load_checkpoint(args.checkpoint, 'pose2d')
    estimator = VideoEstimator.from_checkpoint(pose2d, device, precision)
    if args.boxes == 'labels':
        return PeopleEstimator(estimator, args.images, effort)
    detector = load_checkpoint('detector_compact', 'detector')
    find = PersonDetector.from_checkpoint(detector, device, precision).detect
    return PeopleEstimator(estimator, args.images, effort, find)


def labelled_boxes(frame: FrameLabels) -> list[Box]:
    """Return where the labels say that people are."""
    return [replace(box_of(p), score=1.0) for p in frame.people if p.labelled.any()]


class PeopleEstimator:
    """
    Estimates the people of frames on disk.

    root    the folder below which the file names in the labels lie
    effort  steps and ensembles of the estimator
    find    people in a picture; None = the boxes of the labels are given
    """

    def __init__(
        self,
        estimator: VideoEstimator,
        root: Path,
        effort: InferenceConfig,
        find: Find | None = None,
    ) -> None:
        if estimator.skeleton != POSETRACK_15:
            raise ValueError('this 2D model has other joints than PoseTrack; give another')
        self._estimator, self._root, self._effort = estimator, root, effort
        self._find = find
        self._read = lru_cache(maxsize=SPACING * estimator.slots)(read_picture)

    def write(self, labels: Path, out: Path) -> None:
        """Write the people of every frame of a label file, in the format of the labels."""
        video = read_labels(labels)
        if video.format not in PREDICTION_FORMATS:
            raise ValueError(f'{labels} is of {video.format}; give labels of PoseTrack')
        frames = tqdm(video.frames, desc=video.name, unit='frame', leave=False, disable=None)
        answers = tuple(replace(frame, people=self.people(frame)) for frame in frames)
        write_predictions(out, answers, video.format)

    def people(self, frame: FrameLabels) -> tuple[PersonLabels, ...]:
        """Return who is in a frame; nobody where nobody was looked for."""
        if not frame.labelled:
            return ()
        picture = self._root / frame.name
        boxes = self._find(self._read(picture)) if self._find else labelled_boxes(frame)
        if not boxes:
            return ()
        crops = [Crop.around(box, self._estimator.crop_size) for box in boxes]
        window, present = self._window(picture, crops)
        batch = self._estimator.estimate(
            window, present, self._effort.steps, self._effort.ensembles
        )
        found = zip(crops, boxes, batch.xy, batch.score, strict=True)
        return tuple(
            PersonLabels(crop.to_image(xy), box.score * score, box, track_id=number)
            for number, (crop, box, xy, score) in enumerate(found)
        )

    def _window(self, picture: Path, crops: list[Crop]) -> tuple[torch.Tensor, torch.Tensor]:
        """Return features (B, T, V, C, h, w) of the crops in the frames around, and present."""
        estimator = self._estimator
        views = estimator.views(self._effort.ensembles)
        slots = range(-estimator.past, estimator.future + 1)
        frames = frames_around(picture, [SPACING * slot for slot in slots])
        seen = [
            estimator.features(np.stack([crop.cut(self._read(path)) for crop in crops]), views)
            for path in frames
            if path
        ]
        present = torch.tensor([path is not None for path in frames])
        window = seen[0].new_zeros(len(crops), len(frames), *seen[0].shape[1:])
        window[:, present] = torch.stack(seen, dim=1)
        return window, present.expand(len(crops), -1)
