"""
MediaPipe Pose on the same pictures and clips, measured by the same rules.

    python -m benchmarks.mediapipe_pose --images TAR --labels NPZ --fold test
    python -m benchmarks.mediapipe_pose --video MP4 --labels NPZ

It needs an environment of its own: Python up to 3.12, mediapipe 0.10.21, OpenCV, av, scipy and
tqdm. PCK@0.2 of the 12 limb joints; people who are not found count as wrong.
"""

import argparse
from importlib import import_module
import json
from pathlib import Path
import sys
import time

import cv2
from diffpose_ros.core.skeleton import H36M_17, joint_map, POSETRACK_15
from diffpose_ros.data.labelled import countable, FOLD_NUMBERS, FOLDS, People, read_people
from diffpose_ros.evaluate.clip_labels import add_clock_argument, read_labels
from diffpose_ros.evaluate.pck import correct_joints
from diffpose_ros.offline.video import VideoReader
from diffpose_ros.train.teacher import ask, LANDMARKS
import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

LIMBS = POSETRACK_15.index(*(name for name in LANDMARKS if name != 'nose'))


def film(video: Path, labels: Path, ahead_s: float = 0.0) -> People:
    """Return the person of a video, frame by frame."""
    told = read_labels(labels, ahead_s).joints_px
    if told.shape[1] != 1:
        raise ValueError(f'{labels} labels {told.shape[1]} people; give a video of one')
    xy = joint_map(H36M_17, POSETRACK_15) @ told[:, 0]
    frames = list(VideoReader(video).labelled(len(xy)))
    known = np.isfinite(xy).all(axis=-1)
    return People(frames, xy, known, np.arange(len(xy)), [[] for _ in frames])


def predict(people: People, still: bool) -> tuple[NDArray, float]:
    """Return xy (N, J, 2), NaN where nobody was found, and seconds per picture."""
    xy, joints = np.full(people.xy.shape, np.nan), POSETRACK_15.index(*LANDMARKS)
    solution = import_module('mediapipe').solutions.pose
    began = time.perf_counter()
    with solution.Pose(static_image_mode=still, model_complexity=1) as pose:
        for i, picture in enumerate(tqdm(people.pictures)):
            bgr = cv2.cvtColor(picture, cv2.COLOR_RGB2BGR)
            found, _ = ask(pose, bgr, enlarged=2 if still else 1)
            xy[i, joints] = np.nan if found is None else found
    return xy, (time.perf_counter() - began) / len(people)


def main() -> int:
    """Measure and write the numbers as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--images', type=Path, help='tar of pictures of one person each')
    parser.add_argument('--video', type=Path, help='or a video of one person')
    parser.add_argument('--labels', type=Path, required=True, help='npz of joints')
    add_clock_argument(parser)
    parser.add_argument('--fold', choices=FOLD_NUMBERS, help='only this part of the pictures')
    args = parser.parse_args()
    if args.video:
        people = film(args.video, args.labels, args.labels_ahead)
    else:
        people = read_people(args.images, args.labels)
    if args.fold:
        people = people.take(people.numbers % FOLDS == FOLD_NUMBERS[args.fold])
    people = people.take(countable(people.labelled, POSETRACK_15))
    predicted, seconds = predict(people, still=not args.video)
    correct = correct_joints(predicted, people.xy, POSETRACK_15)
    result = {
        'pck_limbs': float(correct[:, LIMBS][people.labelled[:, LIMBS]].mean()),
        'people': len(people),
        'found': int(np.isfinite(predicted[:, 0, 0]).sum()),
        'ms_per_person': 1000 * seconds,
    }
    sys.stdout.write(json.dumps(result, indent=2) + '\n')
    return 0


if __name__ == '__main__':
    sys.exit(main())
