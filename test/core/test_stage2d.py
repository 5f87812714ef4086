"""Sticky crops and reused features, with a small untrained network."""

from collections import deque
from dataclasses import replace

from diffpose_ros.core.clip import append_apart
from diffpose_ros.core.config import InferenceConfig
from diffpose_ros.core.people import Box, Frame
from diffpose_ros.core.skeleton import H36M_17
from diffpose_ros.core.stage2d import SPACING_S, Stage2D
from diffpose_ros.core.track import Track
from diffpose_ros.video2d.calibration import Calibration
from diffpose_ros.video2d.estimator import VideoEstimator
from diffpose_ros.video2d.network import PoseNetwork
import numpy as np
import pytest
import torch

ONCE = InferenceConfig()
BOXES = [Box(60, 60, 30, 50), Box(110, 70, 40, 60)]


class CountingEstimator(VideoEstimator):
    """Counts the crops that go through the backbone."""

    crops = 0

    def features(self, crops, views):
        self.crops += len(crops)
        return super().features(crops, views)


@pytest.fixture
def estimator(small_config):
    network = PoseNetwork(small_config)
    with torch.no_grad():
        network.decoder.head.weight.mul_(30)
    return CountingEstimator(network, Calibration.plain(15), torch.device('cpu'))


def film(count, fps=1 / 0.13):
    images = np.random.default_rng(0).integers(0, 255, (count, 120, 160, 3), np.uint8)
    return [Frame(image, round(1e9 * i / fps)) for i, image in enumerate(images)]


def tracks(boxes=BOXES, hits=1):
    return [Track(f'b{i}', box, 0, 0, hits) for i, box in enumerate(boxes)]


def assert_same(a, b):
    for one, other in zip(a, b, strict=True):
        np.testing.assert_allclose(one.xy, other.xy, atol=1e-3)
        np.testing.assert_allclose(one.covariance, other.covariance, rtol=1e-3, atol=1e-2)
        np.testing.assert_allclose(one.score, other.score, atol=1e-5)


def test_reused_features_give_what_recomputing_the_whole_window_gives(estimator):
    stage, people, frames = Stage2D(estimator), tracks(), film(5)
    for n in range(1, 6):
        reused = stage.estimate(frames[:n][-3:], people, ONCE)
    assert_same(reused, stage.estimate(frames[2:], tracks(), ONCE))


def test_frames_of_equal_stamps_are_different_frames_that_tell_nothing_of_each_other(estimator):
    stage, people = Stage2D(estimator), tracks()
    frames = [replace(frame, stamp_ns=0) for frame in film(3)]
    for n in range(1, 4):
        reused = stage.estimate(frames[:n], people, ONCE)
    assert_same(reused, stage.estimate(film(3)[2:], tracks(), ONCE))


@pytest.mark.parametrize('fps', [7.5, 15, 30, 60])
def test_a_frame_costs_one_backbone_pass_per_person_at_any_rate(estimator, fps):
    stage, people = Stage2D(estimator), tracks()
    kept = deque(maxlen=stage.frames_needed)
    for frame in film(20, fps):
        append_apart(kept, frame, SPACING_S)
        stage.estimate(kept, people, ONCE)
    assert estimator.crops == 20 * len(BOXES)


def test_what_a_fast_camera_shows_in_between_changes_nothing(estimator):
    stage, frames = Stage2D(estimator), film(13, 30)  # 12, and 4 and 8 images earlier
    assert_same(
        stage.estimate(frames[4::4], tracks(), ONCE),
        stage.estimate([*frames[4::4][:2], frames[11], frames[12]], tracks(), ONCE),
    )


def test_sets_of_noise_can_become_more_at_any_frame(estimator):
    stage, people, frames = Stage2D(estimator), tracks(), film(4)
    for n, ensembles in enumerate((1, 3, 1, 2), start=1):
        settings = InferenceConfig(ensembles=ensembles)
        reused = stage.estimate(frames[:n][-3:], people, settings)
    assert_same(reused, stage.estimate(frames[1:], tracks(), settings))


def test_window_and_sets_of_noise_can_change_together_while_older_frames_are_kept(estimator):
    stage, people, frames = Stage2D(estimator), tracks(), film(3)
    stage.estimate(frames, people, InferenceConfig(window=3, ensembles=1))
    settings = InferenceConfig(window=1, ensembles=2)
    narrow = stage.estimate(frames, people, settings)
    assert_same(narrow, stage.estimate(frames, tracks(), settings))


def test_a_person_who_leaves_the_crop_gets_a_new_one_for_all_frames_of_the_window(estimator):
    stage, people, frames = Stage2D(estimator), tracks(BOXES[:1]), film(3)
    for n in range(1, 4):
        stage.estimate(frames[:n], people, ONCE)
    people[0].box = BOXES[1]
    moved = stage.estimate(frames, people, ONCE)
    assert_same(moved, stage.estimate(frames, tracks(BOXES[1:]), ONCE))


def test_later_frames_fill_the_slots_after_the_key_frame(estimator):
    stage, frames = Stage2D(estimator), film(5)
    causal = stage.estimate(frames[:3], tracks(), ONCE)
    centred = stage.estimate(frames[:3], tracks(), ONCE, later=frames[3:])
    assert all((a.xy != b.xy).any() for a, b in zip(causal, centred, strict=True))


def test_in_a_smaller_window_only_the_nearest_frames_are_looked_at(estimator):
    stage, frames = Stage2D(estimator), film(4)
    for window, shown in ((1, frames[3:]), (2, frames[2:]), (3, frames[1:])):
        estimator.crops = 0
        people = tracks()
        seen = stage.estimate(frames[1:], people, InferenceConfig(window=window))
        assert estimator.crops == window * len(BOXES)
        assert_same(seen, stage.estimate(shown, tracks(), ONCE))


def test_who_was_never_seen_yet_is_looked_for_in_the_newest_frame_alone(estimator):
    stage, frames = Stage2D(estimator), film(3)
    newcomer, known = tracks(BOXES[:1], hits=0), tracks(BOXES[1:])
    seen = stage.estimate(frames, [*newcomer, *known], ONCE)
    assert estimator.crops == 1 + 3
    alone = stage.estimate(frames[2:], tracks(BOXES[:1]), ONCE)
    assert_same(seen, [*alone, *stage.estimate(frames, tracks(BOXES[1:]), ONCE)])


def test_people_do_not_influence_each_other(estimator):
    stage, frames = Stage2D(estimator), film(3)
    together = stage.estimate(frames, tracks(), ONCE)
    alone = [stage.estimate(frames, tracks([box]), ONCE)[0] for box in BOXES]
    assert_same(together, alone)


def test_old_features_are_forgotten(estimator):
    stage, people, frames = Stage2D(estimator), tracks(), film(9)
    for n in range(1, 10):
        stage.estimate(frames[:n][-4:], people, ONCE)
    assert all(len(track.features) == 4 for track in people)


def test_derived_joints_are_no_surer_than_what_they_are_made_of(estimator):
    pose = Stage2D(estimator).estimate(film(1), tracks(BOXES[:1]), ONCE)[0]
    hip, l_hip, r_hip = H36M_17.index('hip', 'l_hip', 'r_hip')
    assert pose.score[hip] == min(pose.score[l_hip], pose.score[r_hip])
    np.testing.assert_allclose(pose.xy[hip], (pose.xy[l_hip] + pose.xy[r_hip]) / 2)


def test_nobody_costs_nothing(estimator):
    assert Stage2D(estimator).estimate(film(1), [], ONCE) == []
    assert estimator.crops == 0
