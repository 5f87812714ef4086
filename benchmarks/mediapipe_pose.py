"""
MediaPipe Pose on the same pictures and clips, measured by the same rules.

    python -m benchmarks.mediapipe_pose --images TAR --labels NPZ --fold 0
    python -m benchmarks.mediapipe_pose --video MP4 --labels NPZ

It needs an environment of its own: Python up to 3.12, mediapipe 0.10.21, OpenCV, tqdm. PCK@0.2 of
the 12 limb joints; people who are not found count as wrong.
"""

import argparse
from importlib import import_module
import json
from pathlib import Path
import sys
import time

import cv2
from diffpose_ros.core.skeleton import POSETRACK_15
from diffpose_ros.evaluate.pck import correct_joints, countable
from diffpose_ros.train.teacher import ask, LANDMARKS, pictures
import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

FOLDS = 9
LIMBS = [name for name in LANDMARKS if name != 'nose']


def read_labels(path: Path) -> tuple[list[str], NDArray, NDArray[np.bool_]]:
    """Return file names (empty for clips), xy (N, J, 2) and labelled (N, J) of POSETRACK_15."""
    with np.load(path) as table:
        given = table['joint_names'].tolist()
        joints = table['joints_px']
        names = table['filenames'].tolist() if 'filenames' in table else []
        known = table['labelled'] if 'labelled' in table else np.isfinite(joints[..., 0])
    xy = np.zeros((len(joints), len(POSETRACK_15.joints), 2))
    labelled = np.zeros(xy.shape[:2], bool)
    for name in LIMBS:
        joint = POSETRACK_15.joints.index(name)
        xy[:, joint] = joints[:, given.index(name)]
        labelled[:, joint] = known[:, given.index(name)]
    return names, xy, labelled


def frames(video: Path) -> list[NDArray[np.uint8]]:
    """Return all frames of a video, BGR."""
    capture, result = cv2.VideoCapture(str(video)), []
    while (answer := capture.read())[0]:
        result.append(answer[1])
    return result


def predict(shown: list[NDArray[np.uint8]], still: bool) -> tuple[NDArray, float]:
    """Return xy (N, J, 2), NaN where nobody was found, and seconds per picture."""
    xy = np.full((len(shown), len(POSETRACK_15.joints), 2), np.nan)
    joints = [POSETRACK_15.joints.index(name) for name in LANDMARKS]
    solution = import_module('mediapipe').solutions.pose
    began = time.perf_counter()
    with solution.Pose(static_image_mode=still, model_complexity=1) as pose:
        for i, picture in enumerate(tqdm(shown)):
            found, _ = ask(pose, picture, enlarged=2 if still else 1)
            xy[i, joints] = np.nan if found is None else found
    return xy, (time.perf_counter() - began) / len(shown)


def main() -> int:
    """Measure and write the numbers as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--images', type=Path, help='tar of pictures of one person each')
    parser.add_argument('--video', type=Path, help='or a video of one person')
    parser.add_argument('--labels', type=Path, required=True, help='npz of joints')
    parser.add_argument('--fold', type=int, help='only file numbers that leave this modulo 9')
    args = parser.parse_args()
    names, xy, labelled = read_labels(args.labels)
    chosen = countable(labelled, POSETRACK_15)
    if args.fold is not None:
        numbers = np.array([int(''.join(filter(str.isdigit, Path(n).stem))) for n in names])
        chosen &= numbers % FOLDS == args.fold
    rows = np.flatnonzero(chosen)
    if args.video:
        shown = frames(args.video)
    else:
        found = dict(pictures(args.images))
        shown = [found[names[i]] for i in rows]
    predicted, seconds = predict(shown, still=not args.video)
    correct = correct_joints(predicted, xy[rows], POSETRACK_15)
    result = {
        'pck_limbs': float(correct[labelled[rows]].mean()),
        'people': len(rows),
        'found': int(np.isfinite(predicted[:, 0, 0]).sum()),
        'ms_per_person': 1000 * seconds,
    }
    sys.stdout.write(json.dumps(result, indent=2) + '\n')
    return 0


if __name__ == '__main__':
    sys.exit(main())
