"""
Find the people whom nobody labelled in the detector's training pictures.

    python -m diffpose_ros.train.bystanders --data DIR --out NPZ

The detector proposes freely, the 2D estimator judges: its scores are probabilities of joints being
right, and low where there is no person. A row of the NPZ is one found person:

  filenames  (n,)         of lsp_extended_frames
  joints_px  (n, 14, 2)   in the picture, pixel centres at integers
  visible    (n, 14)      joints that the estimator is not sure to have guessed
  joint_names (14,)
"""

import argparse
from dataclasses import dataclass
from pathlib import Path
import sys

from diffpose_ros.core.checkpoint import load_checkpoint, restore
from diffpose_ros.core.crop import Crop
from diffpose_ros.core.detector import body_corners, PersonDetector
from diffpose_ros.core.detector_network import DetectorNetwork
from diffpose_ros.core.device import pick_device, pick_precision
from diffpose_ros.core.files import atomic_path
from diffpose_ros.core.people import Box, overlaps
from diffpose_ros.data.frames import Frames, Picture
from diffpose_ros.evaluate.images2d import estimate_single
from diffpose_ros.video2d.estimator import VideoEstimator
import numpy as np
from numpy.typing import NDArray
import torch
from tqdm import tqdm

Floats = NDArray[np.floating]

LONGER_SIDE = 576  # of the detector's largest view; people in the background are small
PROPOSALS = 6  # of a picture, the best
HOPEFUL, SURE = 0.26, 0.6  # mean scores of a proposal worth a closer look, and of a person
VISIBLE = 0.25  # score of a joint that is seen
SAME, PART = 0.4, 0.65  # intersections over union, and over the smaller, of one body's boxes


@dataclass(frozen=True)
class Found:
    """Joints (J, 2) in pixels of the picture and their scores (J,)."""

    joints: Floats
    score: Floats

    @property
    def box(self) -> Floats:
        """Left, top, right, bottom of the body."""
        return body_corners(self.joints)


class Search:
    """A detector and a judge."""

    def __init__(self, device: torch.device) -> None:
        checkpoint = load_checkpoint('detector_compact', 'detector')
        network = DetectorNetwork(**checkpoint.config)
        restore(network, checkpoint)
        precision = pick_precision('auto', device)
        self._detector = PersonDetector(network, device, LONGER_SIDE, precision=precision)
        pose2d = load_checkpoint('pose2d_compact', 'pose2d')
        self._estimator = VideoEstimator.from_checkpoint(pose2d, device, precision)
        names = self._estimator.skeleton.joints
        self.joint_names = tuple(name for name in names if name != 'nose')
        self._columns = [names.index(name) for name in self.joint_names]

    def bystanders(self, picture: Picture) -> list[Found]:
        """Return the people beside the labelled one, the surest first."""
        taken = [body_corners(picture.points)]
        proposals = [
            box for box in self._detector.detect(picture.image) if apart(box.corners, taken)
        ][:PROPOSALS]
        hopeful = [f for f in self._judge(picture, proposals) if f.score.mean() > HOPEFUL]
        looked_closer = self._judge(picture, [Box.around(f.joints) for f in hopeful])
        kept = []
        for found in sorted(looked_closer, key=lambda found: -found.score.mean()):
            if found.score.mean() > SURE and apart(found.box, taken):
                kept.append(found)
                taken.append(found.box)
        return kept

    def _judge(self, picture: Picture, boxes: list[Box]) -> list[Found]:
        if not boxes:
            return []
        crops = [Crop.around(box, self._estimator.crop_size) for box in boxes]
        cuts = np.stack([crop.cut(picture.image) for crop in crops])
        poses = estimate_single(self._estimator, cuts, steps=1, ensembles=1)
        return [
            Found(crop.to_image(xy)[self._columns], score[self._columns])
            for crop, xy, score in zip(crops, poses.xy, poses.score, strict=True)
        ]


def apart(box: Floats, others: list[Floats]) -> bool:
    """Say whether a body (4,) is neither one of the others nor a part of one."""
    shared, inside = overlaps(box[None], np.stack(others))
    return bool((shared < SAME).all() and (inside < PART).all())


def search(frames: Frames, searching: Search) -> dict[str, NDArray]:
    """Return the columns of the NPZ."""
    names, found = [], []
    for i in tqdm(range(len(frames)), mininterval=10):
        people = searching.bystanders(frames[i])
        names += [frames.names[i]] * len(people)
        found += people
    score, J = np.array([f.score for f in found]), len(searching.joint_names)
    return {
        'filenames': np.array(names, str),
        'joints_px': np.array([f.joints for f in found], np.float32).reshape(-1, J, 2),
        'visible': score.reshape(-1, J) > VISIBLE,
        'joint_names': np.array(searching.joint_names),
    }


def main() -> int:
    """Search the training pictures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--data', type=Path, required=True, help='folder with lsp_extended_*')
    parser.add_argument('--out', type=Path, required=True, help='npz to write')
    args = parser.parse_args()
    device = pick_device('auto')
    columns = search(Frames(args.data), Search(device))
    with atomic_path(args.out) as path:
        np.savez_compressed(path, **columns)
    return 0


if __name__ == '__main__':
    sys.exit(main())
