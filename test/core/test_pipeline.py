"""The main path with the packaged networks on the packaged clip."""

from collections import Counter
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from itertools import islice

import cv2
from diffpose_ros.core.config import InferenceConfig, PipelineConfig, TrackConfig
from diffpose_ros.core.people import Box, Frame, ScaleSource
from diffpose_ros.core.pipeline import PosePipeline
from diffpose_ros.core.share import find_shared
from diffpose_ros.evaluate.clip import measure
from diffpose_ros.evaluate.clip_labels import read_labels
from diffpose_ros.offline.calibration import read_camera
from diffpose_ros.offline.video import VideoReader
import numpy as np
import pytest
import torch

CONFIG = PipelineConfig(device='cpu')


@pytest.fixture(scope='module')
def frames():
    camera = read_camera(find_shared('demo/walk.yaml'), 640, 480)
    reader = VideoReader(find_shared('demo/walk.mp4'))
    return [Frame(image, round(1e9 * time_s), camera) for time_s, image in islice(reader, 60)]


@pytest.fixture(scope='module')
def loaded():
    return PosePipeline.from_config(CONFIG)


@pytest.fixture
def pipeline(loaded):
    loaded.reset()
    loaded.reconfigure(CONFIG)
    return loaded


@pytest.fixture(scope='module')
def results(loaded, frames):
    loaded.reset()
    return [loaded.step(frame) for frame in frames]


def poses(results):
    return [person.pose3d.xyz for r in results for person in r.people if person.pose3d]


def test_the_person_of_the_packaged_clip_is_found(results):
    labels = read_labels(find_shared('demo/walk.npz'))
    figures = measure(results, labels)
    assert figures['detection_rate'] >= 0.9
    assert figures['pck'] >= 0.4


def test_every_covariance_is_positive_definite(results):
    for result in results:
        for person in result.people:
            if person.pose3d is not None:
                assert (np.linalg.eigvalsh(person.pose3d.covariance) > 0).all()


def test_the_mean_of_the_hypotheses_is_the_pose(results):
    for result in results:
        for person in result.people:
            if person.pose3d is not None:
                mean = person.pose3d.weights @ person.pose3d.hypotheses.reshape(5, -1)
                np.testing.assert_allclose(mean.reshape(17, 3), person.pose3d.xyz, atol=1e-6)


def test_the_same_frames_give_the_same_result_to_the_last_bit(pipeline, frames):
    first = [pipeline.step(f) for f in frames[:12]]
    pipeline.reset()
    second = [pipeline.step(f) for f in frames[:12]]
    assert poses(first)
    for a, b in zip(poses(first), poses(second), strict=True):
        np.testing.assert_array_equal(a, b)


def test_a_step_back_in_time_starts_anew(pipeline, frames):
    before = [pipeline.step(frame) for frame in frames[:10]]
    ids = {person.track_id for person in before[-1].people}
    after = pipeline.step(frames[0])
    assert ids
    assert ids <= set(after.lost)
    assert not ids & {person.track_id for person in after.people}


def test_a_long_pause_starts_anew_even_where_tracks_are_kept_long(pipeline, frames):
    pipeline.reconfigure(replace(CONFIG, track=TrackConfig(timeout_s=10)))
    before = [pipeline.step(frame) for frame in frames[:10]]
    ids = {person.track_id for person in before[-1].people}
    short = replace(frames[10], stamp_ns=frames[9].stamp_ns + 2 * 10**9)
    assert ids & {person.track_id for person in pipeline.step(short).people}
    after = pipeline.step(replace(short, stamp_ns=short.stamp_ns + 5 * 10**9))
    assert ids <= set(after.lost)
    assert not ids & {person.track_id for person in after.people}


def test_frames_of_another_size_start_anew(pipeline, frames):
    half = [replace(f, image=cv2.resize(f.image, (320, 240)), camera=None) for f in frames[10:20]]
    alone = list(pipeline.follow(half))
    pipeline.reset()
    both = list(pipeline.follow([*frames[:10], *half]))
    ids = {person.track_id for person in both[9].people}
    assert ids <= set(both[10].lost)
    assert poses(alone)
    for a, b in zip(poses(alone), poses(both[10:]), strict=True):
        np.testing.assert_array_equal(a, b)


def test_every_frame_of_a_recording_is_answered_in_order(pipeline, frames):
    stages = []

    def stage(name):
        stages.append(name)
        return nullcontext()

    results = list(pipeline.follow(iter(frames[:20]), stage))
    assert Counter(stages) == {'detect': 20, 'pose2d': 20, 'lift3d': 20}
    assert [r.stamp_ns for r in results] == [f.stamp_ns for f in frames[:20]]
    assert {(r.info.window_frames, r.info.lookahead_s) for r in results} == {(27, 0.45)}


def test_a_recorded_frame_is_seen_with_later_ones_as_far_as_the_windows_reach(pipeline, frames):
    short = list(pipeline.follow(frames[:20]))
    pipeline.reset()
    longer = list(pipeline.follow(frames[:26]))
    reach = 6 + 4  # images in 0.45 s at 15 Hz, and those that the last of them is seen with
    assert poses(short[: 20 - reach])
    for a, b in zip(poses(short[: 20 - reach]), poses(longer[: 20 - reach]), strict=True):
        np.testing.assert_array_equal(a, b)
    assert (poses(short)[-1] != poses(longer[:20])[-1]).any()


def test_a_recorded_frame_is_not_seen_with_those_behind_a_jump_of_the_clock(pipeline, frames):
    alone = list(pipeline.follow(frames[:8]))
    pipeline.reset()
    twice = list(pipeline.follow([*frames[:8], *frames[:8]]))
    assert poses(alone)
    for half in (twice[:8], twice[8:]):
        for a, b in zip(poses(alone), poses(half), strict=True):
            np.testing.assert_array_equal(a, b)


def test_an_empty_picture_has_nobody_in_it(pipeline):
    grey = Frame(np.full((480, 640, 3), 128, np.uint8), 0)
    assert pipeline.step(grey).people == ()


def test_without_a_camera_the_pose_is_relative_and_the_result_says_so(pipeline, frames):
    for frame in frames[:8]:
        result = pipeline.step(replace(frame, camera=None))
    assert 'NO_CAMERA_INFO' in result.info.degraded
    assert {p.pose3d.scale_source for p in result.people if p.pose3d} == {ScaleSource.NONE}
    (person,) = result.people
    assert not person.pose3d.covariance[0].any()  # the hip against itself


@pytest.mark.parametrize(
    ('gap_s', 'told'), [(0.1, False), (0.3, False), (0.4, True), (10.0, True)]
)
def test_images_too_seldom_for_a_window_are_told(pipeline, frames, gap_s, told):
    first, second = frames[:2]
    assert 'LOW_RATE' not in pipeline.step(first).info.degraded  # nothing is known of the rate yet
    result = pipeline.step(replace(second, stamp_ns=first.stamp_ns + round(1e9 * gap_s)))
    assert ('LOW_RATE' in result.info.degraded) == told


@pytest.mark.parametrize(('asked', 'told'), [(1, 1), (2, 2), (9, 3)])
def test_results_tell_how_many_images_the_2d_model_can_look_at(pipeline, frames, asked, told):
    pipeline.reconfigure(replace(CONFIG, inference=InferenceConfig(window=asked)))
    assert pipeline.step(frames[0]).info.window == told


def test_new_settings_hold_from_the_next_frame_on(pipeline, frames):
    pipeline.step(frames[0])
    more = InferenceConfig(steps=2, ensembles=2, lift_steps=3, hypotheses=7)
    pipeline.reconfigure(replace(CONFIG, inference=more))
    for frame in frames[1:8]:
        result = pipeline.step(frame)
    info = result.info
    assert (info.steps, info.ensembles, info.lift_steps, info.hypotheses) == (2, 2, 3, 7)
    assert {len(p.pose3d.hypotheses) for p in result.people} == {7}


def test_who_is_not_yet_sure_to_be_somebody_is_nobody(pipeline, frames, monkeypatch):
    monkeypatch.setattr('diffpose_ros.core.tracker.is_sure', lambda seen: False)
    results = [pipeline.step(frame) for frame in frames[:3]]
    assert [r.people for r in results] == [(), (), ()]
    assert [r.lost for r in results] == [(), (), ()]


def test_more_people_than_allowed_are_told(pipeline, frames, monkeypatch):
    found = Box(320, 240, 90, 260), Box(320, 240, 10, 20)
    monkeypatch.setattr(pipeline._detector, 'detect', lambda image: list(found))
    assert 'PEOPLE_CUT' not in pipeline.step(frames[0]).info.degraded
    pipeline.reset()
    pipeline.reconfigure(replace(CONFIG, max_people=1))
    assert 'PEOPLE_CUT' in pipeline.step(frames[0]).info.degraded


@pytest.mark.parametrize(
    ('network', 'told'),
    [
        (lambda pipeline: pipeline._detector._network, 'detector'),
        (lambda pipeline: pipeline._stage2d._estimator._network, '2D estimator'),
        (lambda pipeline: pipeline._stage3d._lifter._model, 'lifter'),
    ],
)
def test_a_network_that_answers_nonsense_fails_the_warm_up(network, told):
    pipeline = PosePipeline.from_config(CONFIG)
    for weights in network(pipeline).parameters():
        weights.data.fill_(float('nan'))
    with pytest.raises(ValueError, match=f'the {told} answers with numbers that are not finite'):
        pipeline.warm_up()


def test_the_stages_are_told_in_the_order_of_the_path(pipeline, frames):
    names = []

    @contextmanager
    def stage(name):
        names.append(name)
        yield

    pipeline.step(frames[0], stage)
    assert names == ['detect', 'pose2d', 'lift3d']


@pytest.mark.skipif(torch.cuda.is_available(), reason='this GPU works')
def test_a_gpu_that_does_not_work_is_replaced_by_the_processor_and_the_result_says_so(
    frames, monkeypatch
):
    monkeypatch.setattr(torch.cuda, 'is_available', lambda: True)
    result = PosePipeline.from_config(PipelineConfig()).step(frames[0])
    assert 'CPU_FALLBACK' in result.info.degraded


def test_on_the_processor_by_choice_nothing_is_degraded(pipeline, frames):
    assert 'CPU_FALLBACK' not in pipeline.step(frames[0]).info.degraded


def test_a_calibration_that_comes_late_holds_for_what_was_seen_before(pipeline, frames):
    *_, early = (pipeline.step(frame) for frame in frames)
    pipeline.reset()
    uncalibrated = [replace(frame, camera=None) for frame in frames[:-1]]
    *_, late = (pipeline.step(frame) for frame in [*uncalibrated, frames[-1]])
    assert len(early.people) == len(late.people) == 1
    for mine, other in zip(early.people, late.people, strict=True):
        np.testing.assert_array_equal(mine.pose3d.xyz, other.pose3d.xyz)
