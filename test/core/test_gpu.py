"""What a GPU must do as the processor does it; without one, nothing of this runs."""

from dataclasses import replace
from itertools import pairwise

import cv2
from diffpose_ros.core.config import InferenceConfig, PipelineConfig
from diffpose_ros.core.people import Frame
from diffpose_ros.core.pipeline import PosePipeline
from diffpose_ros.core.replay import MOST, Replayed
from diffpose_ros.core.share import find_shared
from diffpose_ros.core.skeleton import H36M_17
from diffpose_ros.data.mocap import lay_clips
from diffpose_ros.train.windows import WindowSampler
from diffpose_ros.video2d.calibration import Calibration
from diffpose_ros.video2d.estimator import VideoEstimator
from diffpose_ros.video2d.network import NetworkConfig, PoseNetwork
import numpy as np
import pytest
import torch

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason='there is no GPU')
FLOAT32 = PipelineConfig(precision='float32')


@pytest.fixture(scope='module')
def frames():
    video = cv2.VideoCapture(str(find_shared('demo/walk.mp4')))
    images = [video.read()[1] for _ in range(30)]
    return [
        Frame(cv2.cvtColor(image, cv2.COLOR_BGR2RGB), round(i * 1e9 / 30))
        for i, image in enumerate(images)
    ]


def people(config, frames):
    """Return the ids, 2D and 3D poses of everybody in a recording."""
    results = PosePipeline.from_config(config).follow(frames)
    found = [p for result in results for p in result.people if p.pose2d and p.pose3d]
    ids = [person.track_id for person in found]
    xy = np.stack([person.pose2d.xy for person in found])
    xyz = np.stack([person.pose3d.xyz for person in found])
    covariance = np.stack([person.pose3d.covariance for person in found])
    return ids, xy, xyz, covariance


def test_poses_are_those_of_the_processor(frames):
    mine, theirs = (people(replace(FLOAT32, device=d), frames) for d in ('cuda', 'cpu'))
    assert mine[0] == theirs[0]
    assert np.nanmedian(np.abs(mine[1] - theirs[1])) < 0.1  # pixels
    assert np.nanmedian(np.abs(mine[2] - theirs[2])) < 0.005  # metres


@pytest.mark.parametrize('precision', ['float32', 'bfloat16'])
@pytest.mark.parametrize('inference', [InferenceConfig(), InferenceConfig(ensembles=4, steps=4)])
def test_the_same_images_give_the_same_bytes(frames, precision, inference):
    config = PipelineConfig(device='cuda', precision=precision, inference=inference)
    runs = [people(config, frames) for _ in range(3)]
    for one, other in pairwise(runs):
        assert one[0] == other[0]
        for a, b in zip(one[1:], other[1:], strict=True):
            assert a.tobytes() == b.tobytes()


@pytest.mark.parametrize('kind', ['single', 'causal', 'centred'])
def test_the_lifter_learns_from_windows_that_are_made_on_the_gpu(kind):
    joints = torch.randn(40, len(H36M_17.joints), 3)
    clips = lay_clips(joints, torch.zeros(40, 3), torch.tensor([40]), 1.0, 30)
    windows = WindowSampler(clips, 13, 13, torch.Generator('cuda').manual_seed(0)).draw(8, kind)
    assert {value.device.type for value in vars(windows).values()} == {'cuda'}
    assert torch.isfinite(windows.truth).all()


def test_a_recording_gives_what_its_function_gives_for_all_shapes_and_settings():
    def function(x, y, *, power):
        return x @ y, (x**power).sum(dim=1)

    replayed = Replayed(function)
    kept = []
    for n in (3, 5, 3, *range(1, MOST + 2), 3):
        for power in (2, 3):
            x, y = torch.randn(n, 4, device='cuda'), torch.randn(4, 2, device='cuda')
            found = replayed(x, y, power=power)
            kept.append((found, function(x, y, power=power)))
    for found, expected in kept:  # later calls have not written over what earlier ones returned
        for a, b in zip(found, expected, strict=True):
            assert torch.equal(a, b)


def test_a_recording_is_made_of_nothing_but_the_first_call_of_a_shape():
    calls = []
    replayed = Replayed(lambda x: (calls.append(1), x + 1)[1:])
    answers = [float(replayed(torch.tensor([float(n)], device='cuda'))[0]) for n in range(5)]
    assert answers == [1, 2, 3, 4, 5]
    assert len(calls) == 2  # once aside, once recorded


def test_the_published_backbone_runs_on_a_gpu():
    pytest.importorskip('transformers')
    config = NetworkConfig(crop_size=(192, 256), backbone='vit_b16')
    plain = Calibration.plain(len(config.joints.joints))
    estimator = VideoEstimator(PoseNetwork(config), plain, torch.device('cuda'), torch.bfloat16)
    features = estimator.features(np.zeros((2, 256, 192, 3), np.uint8), views=2)
    pose = estimator.estimate(
        features[:1, None].repeat(1, 5, 1, 1, 1, 1), torch.ones(1, 5) > 0, steps=2, ensembles=2
    )
    assert np.isfinite(pose.xy).all()
