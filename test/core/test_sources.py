"""Where the boxes of people come from, and the depth that goes with a frame."""

from dataclasses import replace
from types import SimpleNamespace

from diffpose_ros.core.config import DetectorConfig, InferenceConfig, PipelineConfig
from diffpose_ros.core.people import Box, Frame, Pose2D
from diffpose_ros.core.pipeline import load_detector, PosePipeline
from diffpose_ros.core.skeleton import H36M_17
import numpy as np
import pytest
import torch

CPU = torch.device('cpu')
J = len(H36M_17.joints)
HEIGHT, WIDTH = 120, 160
EMBEDDED, TOPIC = Box(40, 60, 30, 80, 0.9), Box(110, 60, 30, 80, 0.8)


class Detector:
    """Always finds the same person, and counts how often it was asked."""

    asked = 0

    def detect(self, image):
        self.asked += 1
        return [EMBEDDED]


class Stage2D:
    """Sees a person in every box: joints spread over it."""

    frames_needed, window_frames = 1, 1
    unit = np.random.default_rng(0).uniform(-0.5, 0.5, (J, 2))

    def estimate(self, frames, tracks, settings, later):
        return [self._pose(track.box) for track in tracks]

    def _pose(self, box):
        xy = [box.x_center, box.y_center] + self.unit * [box.width, box.height]
        return Pose2D(xy, np.tile(np.eye(2), (J, 1, 1)), np.full(J, 0.9))


class Stage3D:
    """Notes the depth that it is given."""

    window_frames, lookback_s = 1, float('inf')

    def lift(self, tracks, stamp_ns, view):
        self.depth = view.depth
        return [None for _ in tracks]


class Scene:
    def __init__(self, source):
        self.detector, self.stage3d = Detector(), Stage3D()
        config = PipelineConfig(detector=DetectorConfig(source=source))
        self.pipeline = PosePipeline(config, self.detector, Stage2D(), self.stage3d, 'test', CPU)
        self._frame = Frame(np.zeros((HEIGHT, WIDTH, 3), np.uint8), 0)

    def see(self, n=0, **more):
        """Return the middles of the people in frame n."""
        frame = replace(self._frame, stamp_ns=n * 40_000_000, **more)
        people = self.pipeline.step(frame).people
        return [person.box.x_center for person in people]


def test_our_own_detector_looks_when_the_tracker_wants_it_to():
    scene = Scene('embedded')
    (x,) = scene.see(0, boxes=(TOPIC,))
    assert x == pytest.approx(EMBEDDED.x_center, abs=5)
    scene.see(1)
    assert scene.detector.asked == 1


def test_boxes_of_another_detector_start_tracks_and_ours_stays_silent():
    scene = Scene('topic')
    (x,) = scene.see(0, boxes=(TOPIC,))
    assert x == pytest.approx(TOPIC.x_center, abs=5)
    assert len(scene.see(1, boxes=(TOPIC, EMBEDDED))) == 2
    assert scene.detector.asked == 0


@pytest.mark.parametrize('boxes', [None, ()])
def test_people_are_followed_when_the_other_detector_misses_a_frame(boxes):
    scene = Scene('topic')
    scene.see(0, boxes=(TOPIC,))
    assert len(scene.see(1, boxes=boxes)) == 1


def test_nobody_is_found_before_the_other_detector_speaks():
    assert Scene('topic').see(0) == []


def test_a_full_frame_is_one_person_with_one_id():
    scene = Scene('full_frame')
    for n in range(5):
        (x,) = scene.see(n)
    assert x == pytest.approx(WIDTH / 2, abs=0.1 * WIDTH)
    assert scene.pipeline.ids_given == 1
    assert scene.detector.asked == 0


def test_the_box_of_a_whole_image_has_its_borders():
    np.testing.assert_allclose(Box.whole(160, 120).corners, [-0.5, -0.5, 159.5, 119.5])


def test_depth_goes_with_its_frame():
    scene = Scene('embedded')
    depth = np.ones((HEIGHT, WIDTH), np.float32)
    scene.see(0, depth=depth)
    assert scene.stage3d.depth is depth
    scene.see(1)
    assert scene.stage3d.depth is None


def test_depth_of_another_size_is_refused():
    with pytest.raises(ValueError, match='depth has shape'):
        Frame(np.zeros((4, 6, 3), np.uint8), 0, depth=np.ones((6, 4), np.float32))


@pytest.mark.parametrize('source', ['topic', 'full_frame'])
def test_no_detector_is_loaded_where_people_come_from_elsewhere(source):
    config = DetectorConfig(source=source, model='/no/such.safetensors')
    assert load_detector(config, CPU) is None


def test_a_pipeline_without_a_detector_warms_up_the_other_networks():
    ran = []
    stage = SimpleNamespace(frames_needed=1, warm_up=lambda settings, most: ran.append(most))
    PosePipeline(PipelineConfig(), None, stage, stage, 'test', CPU).warm_up()
    assert ran == [1, 1]  # a GPU warms up for all numbers of people


@pytest.mark.parametrize('stage', ['_stage2d', '_stage3d'])
def test_the_networks_warm_up_for_any_number_of_people(stage, monkeypatch):
    networks, ran = getattr(PosePipeline.from_config(PipelineConfig(device='cpu')), stage), []
    run = networks._run
    monkeypatch.setattr(networks, '_run', lambda of, *more: (ran.append(len(of)), run(of, *more)))
    networks.warm_up(InferenceConfig(), 3)
    assert sorted(set(ran)) == [1, 2, 3]
