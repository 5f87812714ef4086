"""
The whole pipeline on a video with known joints: what a robot would get, measured.

A labelled person counts as found when a skeleton is assigned to it (Hungarian, mean 2D distance)
no farther away than the person's torso is long. PCK counts the joints of people who were not
found as wrong; distances are means over the people found, in 3D over those whose pose is known.
"""

import argparse
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
import time
from typing import Any

from diffpose_ros.core.checkpoint import load_checkpoint
from diffpose_ros.core.config import DetectorConfig, InferenceConfig, PipelineConfig
from diffpose_ros.core.device import pick_device
from diffpose_ros.core.people import Frame, FrameResult, Person, Pose2D, Pose3D
from diffpose_ros.core.pipeline import LIFTER, PosePipeline
from diffpose_ros.core.skeleton import H36M_17, HIP, joint_map, POSETRACK_15
from diffpose_ros.core.stage3d import Stage3D
from diffpose_ros.core.track import Track
from diffpose_ros.evaluate.arguments import json_file
from diffpose_ros.evaluate.clip_labels import (
    add_clock_argument,
    boxes_around,
    ClipLabels,
    labelled_frames,
    read_labels,
)
from diffpose_ros.evaluate.coverage import coverage
from diffpose_ros.evaluate.figures import write_figures
from diffpose_ros.evaluate.mpjpe import hip_errors, LIMBS, summary
from diffpose_ros.evaluate.pck import correct_joints, expected_calibration_error, torso_length
from diffpose_ros.lift3d.kinds import lifter_of, LIFTERS
import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment
from tqdm import tqdm

Floats = NDArray[np.floating]

LIMB_JOINTS = H36M_17.index(*LIMBS)
J = len(H36M_17.joints)
EFFORT = {  # options that are settings of the inference
    'steps': 'denoising steps of the 2D model',
    'ensembles': 'noise sets of the 2D model',
    'lift_steps': 'denoising steps of the lifter',
    'hypotheses': '3D poses per person',
}
KEPT = 1e6  # pixels by which a pair of before seems nearer than any other


@dataclass(frozen=True)
class Match:
    """A labelled person and the skeleton that was assigned to it, None = not found."""

    label: int
    truth_px: Floats
    truth_m: Floats
    person: Person | None


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument('--video', type=Path, required=True)
    parser.add_argument('--labels', type=Path, required=True, help='NPZ: joints_px, joints_cam_m')
    parser.add_argument('--out', type=json_file, required=True, help='JSON with the figures')
    add_clock_argument(parser)
    effort = InferenceConfig()
    for name, about in EFFORT.items():
        option = f'--{name.replace("_", "-")}'
        parser.add_argument(option, type=int, default=getattr(effort, name), help=about)
    parser.add_argument(
        '--person-height', type=float, default=0.0, help='metres, of everybody; 0 = not known'
    )
    parser.add_argument(
        '--true-2d', action='store_true', help='lift the labelled 2D joints: the lifter alone'
    )
    parser.add_argument(
        '--centred', action='store_true', help='look at later frames, too, as for recordings'
    )


def run(args: argparse.Namespace) -> int:
    """Evaluate one clip and write the figures."""
    labels = read_labels(args.labels, args.labels_ahead)
    config = PipelineConfig()
    inference = replace(config.inference, **{name: getattr(args, name) for name in EFFORT})
    config = replace(config, inference=inference, person_height_m=args.person_height)
    pipeline = lifting(config, labels) if args.true_2d else PosePipeline.from_config(config)
    pipeline.warm_up()
    start = time.perf_counter()
    results = list(follow(pipeline, args.video, labels, args.centred))
    fps = len(results) / (time.perf_counter() - start)
    write_figures(args.out, {**measure(results, labels), 'fps': fps})
    return 0


class TrueJoints:
    """Stands where Stage2D does, and answers with the labels; derived joints as in Stage2D."""

    frames_needed, later_frames, window_frames = 2, 1, 1
    weights = joint_map(POSETRACK_15, H36M_17) @ joint_map(H36M_17, POSETRACK_15)

    def __init__(self, labels: ClipLabels) -> None:
        self._labels = labels

    def estimate(
        self,
        frames: Sequence[Frame],
        tracks: Sequence[Track],
        settings: InferenceConfig,
        later: Sequence[Frame],
    ) -> list[Pose2D]:
        """Return for every track the labelled person whose box is most like its own, to 1 px."""
        number = round(frames[-1].stamp_ns * self._labels.fps / 1e9)
        people = self._labels.joints_px[number]
        boxes = np.array([box.corners for box in boxes_around(people)])
        joints = self.weights @ people[np.isfinite(people).all(axis=(1, 2))]
        covariance = np.tile(np.eye(2), (J, 1, 1))
        if not len(boxes):  # nobody is labelled, so nobody is seen
            return [Pose2D(np.full((J, 2), np.nan), covariance, np.zeros(J)) for _ in tracks]
        chosen = [np.abs(boxes - track.box.corners).sum(axis=1).argmin() for track in tracks]
        return [Pose2D(joints[i], covariance, np.ones(J)) for i in chosen]

    def warm_up(self, settings: InferenceConfig, most: int = 1) -> None:
        """Do nothing: labels are there."""


def lifting(config: PipelineConfig, labels: ClipLabels) -> PosePipeline:
    """Return a pipeline that gets boxes and 2D joints from the labels."""
    config = replace(config, detector=DetectorConfig(source='topic'))
    device, checkpoint = pick_device(config.device), load_checkpoint(LIFTER, *LIFTERS)
    stage3d = Stage3D(lifter_of(checkpoint, device))
    return PosePipeline(config, None, TrueJoints(labels), stage3d, checkpoint.model_id, device)


def follow(
    pipeline: PosePipeline, video: Path, labels: ClipLabels, centred: bool = False
) -> Iterator[FrameResult]:
    """Run the pipeline over the labelled frames of a video."""
    frames = labelled_frames(video, labels)
    results = pipeline.follow(frames) if centred else map(pipeline.step, frames)
    yield from tqdm(results, total=len(labels.joints_px), unit='frame')


def measure(results: Sequence[FrameResult], labels: ClipLabels) -> dict[str, Any]:
    """Return the figures of a clip; the keys say what and in which unit."""
    matches = pair(results, labels)
    found = [match for match in matches if match.person is not None]
    figures: dict[str, Any] = {
        'frames': len(results),
        'people': len(matches),
        'detection_rate': len(found) / max(len(matches), 1),
        'id_switches': count_id_switches(found),
        'pck': pck_of(matches, LIMB_JOINTS),
        'pck_17': pck_of(matches, list(range(J))),
    }
    return {**figures, **distances(found)} if found else figures


def pair(results: Sequence[FrameResult], labels: ClipLabels) -> list[Match]:
    """Return all labelled people of all frames with the skeletons found for them."""
    matches: list[Match] = []
    before: dict[int, str] = {}
    for result, px, metres in zip(results, labels.joints_px, labels.joints_m, strict=False):
        now = assign_people(result.people, px, metres, before)
        before |= {match.label: match.person.track_id for match in now if match.person}
        matches += now
    return matches


def assign_people(
    people: Sequence[Person], px: Floats, metres: Floats, before: Mapping[int, str]
) -> list[Match]:
    """
    Pair labelled people with the skeletons nearest in the image, at most a torso away.

    Distances are means over the limb joints that a skeleton tells.
    Pairs of before go first while they are that near: where one person hides the other, the only
    skeleton lies near both (as the CLEAR metrics do, Bernardin & Stiefelhagen 2008).

    before  track id by labelled person, when that person was found last
    """
    labelled = [i for i in range(len(px)) if np.isfinite(px[i]).all()]
    torso = torso_length(px, H36M_17)
    posed = [person for person in people if person.pose2d is not None]
    cost = np.full((len(labelled), len(posed)), 1e9)
    for row, i in enumerate(labelled):
        for column, person in enumerate(posed):
            assert person.pose2d is not None
            error = np.linalg.norm(person.pose2d.xy - px[i], axis=1)[LIMB_JOINTS]
            told = np.isfinite(error)
            distance = error[told].mean() if told.any() else np.inf
            if distance <= torso[i]:
                cost[row, column] = distance - KEPT * (before.get(i) == person.track_id)
    rows, columns = linear_sum_assignment(cost)
    chosen = {r: c for r, c in zip(rows, columns, strict=True) if cost[r, c] < 1e9}
    return [
        Match(i, px[i], metres[i], posed[chosen[row]] if row in chosen else None)
        for row, i in enumerate(labelled)
    ]


def pck_of(matches: Sequence[Match], joints: list[int]) -> float:
    """Return the share of joints within a fifth of the torso; unfound people count as wrong."""
    nobody = np.full((J, 2), np.nan)
    predicted = [m.person.pose2d.xy if m.person and m.person.pose2d else nobody for m in matches]
    if not matches:
        return 0.0
    truth = np.stack([match.truth_px for match in matches])
    return float(correct_joints(np.stack(predicted), truth, H36M_17)[:, joints].mean())


def distances(found: Sequence[Match]) -> dict[str, float]:
    """Return errors and the calibration of the scores over the people found."""
    poses2d = [m.person.pose2d for m in found if m.person and m.person.pose2d]
    pixels, truth_px = np.stack([p.xy for p in poses2d]), np.stack([m.truth_px for m in found])
    score = np.stack([p.score for p in poses2d])[:, LIMB_JOINTS]
    correct = correct_joints(pixels, truth_px, H36M_17)[:, LIMB_JOINTS]
    error_px = np.linalg.norm(pixels - truth_px, axis=-1)
    figures = {
        'error_px': float(np.nanmean(error_px[:, LIMB_JOINTS])),
        'ece': expected_calibration_error(score.ravel(), correct.ravel()),
    }
    pairs = [(m.person.pose3d, m.truth_m) for m in found if m.person and m.person.pose3d]
    placed = [(pose, truth) for pose, truth in pairs if np.isfinite(pose.xyz).all()]
    return {**figures, **distances_m(*zip(*placed, strict=True))} if placed else figures


def distances_m(poses: Sequence[Pose3D], truths: Sequence[Floats]) -> dict[str, float]:
    """
    Return errors and coverage of poses, truths (17, 3).

    Coverage is that of the absolute positions, with the covariances that subscribers get; root
    relative, it is that of the pose alone.
    """
    bodies, truth = np.stack([pose.xyz for pose in poses]), np.stack(truths)
    total = np.stack([pose.covariance for pose in poses])
    shape = np.stack([pose.relative_covariance for pose in poses])
    relative, true_relative = (xyz - xyz[:, HIP, None] for xyz in (bodies, truth))
    return {
        **summary(bodies, truth),
        'hip_error_mm': float(hip_errors(bodies, truth).mean()),
        **coverage(bodies, total, truth, range(J)),
        'coverage_90_root_relative': coverage(relative, shape, true_relative)['coverage_90'],
    }


def count_id_switches(found: Sequence[Match]) -> int:
    """Count how often a labelled person is found under another id than the time before."""
    last: dict[int, str] = {}
    switches = 0
    for match in found:
        assert match.person is not None
        switches += last.get(match.label, match.person.track_id) != match.person.track_id
        last[match.label] = match.person.track_id
    return switches
