"""The protocol on made-up clips, with an untrained network: shapes, cameras, noise, JSON."""

from argparse import ArgumentParser
from dataclasses import asdict
import json

from diffpose_ros.core.checkpoint import save_checkpoint
from diffpose_ros.core.skeleton import H36M_17
from diffpose_ros.evaluate.mocap import add_arguments, film, pck_probability, run
from diffpose_ros.lift3d.calibration import Calibration
from diffpose_ros.lift3d.lifter import Lifter
from diffpose_ros.lift3d.model import LiftModel, LiftModelConfig
from diffpose_ros.train.mocap import load_clips
import numpy as np
import pytest
import torch

J = len(H36M_17.joints)
SMALL = LiftModelConfig(4, 4, 1 / 30, 8, 16, 1, 1, 8, 1)


@pytest.fixture
def mocap(tmp_path):
    random = np.random.default_rng(0)
    pose = random.normal(0, 0.3, (J, 3))
    np.savez(
        tmp_path / 'mocap.npz',
        joints_root_relative_m=np.tile(pose - pose[0], (70, 1, 1)).astype(np.float16),
        root_m=np.zeros((70, 3), np.float32),
        clip_lengths=np.array([40, 30]),
        clip_names=np.array(['a', 'b']),
        fps=30,
        joint_names=np.array(H36M_17.joints),
    )
    return tmp_path / 'mocap.npz'


@pytest.fixture
def lifter():
    return Lifter(LiftModel(SMALL), Calibration(np.ones(J)), torch.device('cpu'))


def test_each_second_has_a_camera_of_its_own(mocap, lifter):
    windows = film(load_clips(mocap), lifter, 0, centred=False)
    same = [np.allclose(windows.rays[i, 4], windows.rays[i - 1, 4]) for i in range(1, 70)]
    assert [i for i, s in enumerate(same, start=1) if not s] == [30, 40]


def test_causal_windows_do_not_see_the_future(mocap, lifter):
    clips = load_clips(mocap)
    assert not film(clips, lifter, 0, centred=False).present[:, 5:].any()
    assert film(clips, lifter, 0, centred=True).present[20, 5:].all()


def test_noise_has_the_size_that_was_asked_for(mocap, lifter):
    clips = load_clips(mocap)
    exact, noisy = (film(clips, lifter, px, centred=False) for px in (0, 5))
    error = noisy.rays - exact.rays
    claimed = np.sqrt(noisy.covariance[..., 0, 0])
    assert np.std(error[..., 0] / claimed) == pytest.approx(1, abs=0.03)
    assert not exact.covariance.any()
    assert (exact.score == 1).all()
    assert noisy.score.max() == pytest.approx(pck_probability(5 / 250))


def test_json_has_the_agreed_keys(mocap, tmp_path):
    model = LiftModel(SMALL)
    checkpoint = tmp_path / 'small.safetensors'
    save_checkpoint(checkpoint, 'lift3d', asdict(SMALL), model.state_dict(), {})
    parser = ArgumentParser()
    add_arguments(parser)
    out = tmp_path / 'new' / 'mocap.json'
    words = f'--data {mocap} --out {out} --checkpoint {checkpoint} --steps 1 --hypotheses 2'
    assert run(parser.parse_args(words.split())) == 0
    result = json.loads(out.read_text())
    agreed = 'mpjpe_mm p_mpjpe_mm coverage_50 coverage_68 coverage_90 coverage_95 frames steps'
    assert {*agreed.split(), 'hypotheses', 'ms_per_frame'} <= set(result)
    assert result['frames'] == 70
