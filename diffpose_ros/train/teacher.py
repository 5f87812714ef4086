"""
Complete the labels of the photographs with MediaPipe Pose, a teacher with its own errors.

    python -m diffpose_ros.train.teacher --data DIR --out DIR/lsp_extended_taught.npz

Where the teacher agrees with the people who labelled a picture, it adds the joints that they left
out, and the nose, which they never labelled. Where it sees the same limbs with left and right
exchanged, one of the two is wrong: the limbs of that picture teach nobody. Elsewhere the labels
stay as they are.

MediaPipe needs an environment of its own (Python up to 3.12, NumPy 1); of this project, nothing
but this file and data/archives.py are needed there.
"""

import argparse
from importlib import import_module
from pathlib import Path
import sys
from typing import Any

import cv2
from diffpose_ros.data.archives import pictures
import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

ENLARGED = 2  # MediaPipe finds small people badly
VISIBLE = 0.5  # visibility from which its joints are taken over
CLOSE = 0.3  # distance up to which two labels agree, torsos
AGREE, DISAGREE = 0.6, 0.3  # shares of the joints in a picture
LEAST_JOINTS = 6  # that must be compared before anything is concluded
TORSO_OF_BODY = 0.3  # torso, share of a body's extent, where it is not labelled
LANDMARKS = {
    'r_ankle': 28,
    'r_knee': 26,
    'r_hip': 24,
    'l_hip': 23,
    'l_knee': 25,
    'l_ankle': 27,
    'r_wrist': 16,
    'r_elbow': 14,
    'r_shoulder': 12,
    'l_shoulder': 11,
    'l_elbow': 13,
    'l_wrist': 15,
    'nose': 0,
}


def teach(
    xy: NDArray, labelled: NDArray, taught: NDArray, seen: NDArray, mirror: list[int]
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """
    Return the completed labels, xy (J, 2) and labelled (J,), of one picture.

    xy, labelled  (J, 2), (J,)  of the people who labelled the picture
    taught, seen  (J, 2), (J,)  of the teacher; nothing is seen where it found nobody
    mirror        for each joint, the one on the other side of the body
    """
    both = labelled & seen
    if both.sum() < LEAST_JOINTS:
        return xy, labelled
    radius = CLOSE * TORSO_OF_BODY * np.ptp(xy[labelled], axis=0).max()
    close = np.linalg.norm(taught - xy, axis=1) < radius
    close_mirrored = np.linalg.norm(taught[mirror] - xy, axis=1) < radius
    if close[both].mean() > AGREE:
        added = seen & ~labelled
        return np.where(added[:, None], taught, xy), labelled | added
    if close[both].mean() < DISAGREE and close_mirrored[both].mean() > AGREE:
        return xy, labelled & (np.array(mirror) == np.arange(len(xy)))
    return xy, labelled


def ask(
    pose: Any, picture: NDArray[np.uint8], enlarged: int = ENLARGED
) -> tuple[NDArray[np.float64] | None, NDArray[np.bool_]]:
    """Return what MediaPipe says of a BGR picture: xy of LANDMARKS (pixels), and which it sees."""
    height, width = picture.shape[:2]
    size = (width * enlarged, height * enlarged)
    large = cv2.resize(picture, size, interpolation=cv2.INTER_CUBIC)
    found = pose.process(cv2.cvtColor(large, cv2.COLOR_BGR2RGB)).pose_landmarks
    if found is None:
        return None, np.zeros(len(LANDMARKS), bool)
    points = [found.landmark[i] for i in LANDMARKS.values()]
    xy = np.array([[p.x * width - 0.5, p.y * height - 0.5] for p in points])
    return xy, np.array([p.visibility > VISIBLE for p in points])


def other_side(name: str) -> str:
    """Return the name of the joint on the other side of the body."""
    return {'l_': 'r_', 'r_': 'l_'}.get(name[:2], name[:2]) + name[2:]


def complete(images: Path, labels: Path) -> dict[str, NDArray]:
    """Return the columns of an npz of labels, completed by what the teacher sees in a tar."""
    with np.load(labels) as table:
        given = [*table['joint_names'].tolist(), 'nose']
        filenames = table['filenames']
        xy = np.pad(table['joints_px'], ((0, 0), (0, 1), (0, 0)))
        labelled = np.pad(table['labelled'], ((0, 0), (0, 1)))
    rows = {name: i for i, name in enumerate(filenames)}
    columns = [given.index(name) for name in LANDMARKS]
    mirror = [given.index(other_side(name)) for name in given]
    solution = import_module('mediapipe').solutions.pose
    with solution.Pose(static_image_mode=True, model_complexity=1) as pose:
        for name, picture in tqdm(pictures(images), total=len(rows)):
            i = rows[name]
            taught, seen = np.zeros((len(given), 2)), np.zeros(len(given), bool)
            found, seen[columns] = ask(pose, picture)
            if found is not None:
                taught[columns] = found
            xy[i], labelled[i] = teach(xy[i], labelled[i], taught, seen, mirror)
    return {
        'filenames': filenames,
        'joints_px': xy,
        'labelled': labelled,
        'joint_names': np.array(given),
    }


def main() -> int:
    """Complete the labels of the training set."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--data', type=Path, required=True, help='folder of lsp_extended_train')
    parser.add_argument('--out', type=Path, required=True, help='npz to write')
    args = parser.parse_args()
    source = args.data / 'lsp_extended_train'
    columns = complete(source.with_suffix('.tar'), source.with_suffix('.npz'))
    np.savez_compressed(args.out, **columns)
    return 0


if __name__ == '__main__':
    sys.exit(main())
