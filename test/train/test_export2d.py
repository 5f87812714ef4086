from dataclasses import asdict, replace
from functools import partial

from diffpose_ros.core.checkpoint import load_checkpoint
from diffpose_ros.core.skeleton import POSETRACK_15
from diffpose_ros.data.labelled import People
from diffpose_ros.evaluate.images2d import estimate_single, predict, Predictions
from diffpose_ros.train.export2d import export_run, fit_covariances
from diffpose_ros.train.loop import Budget, Ema, RunFolder
from diffpose_ros.train.pose_trainer import Learner
from diffpose_ros.video2d.estimator import VideoEstimator
from diffpose_ros.video2d.network import PoseNetwork
import numpy as np
import pytest
import torch

J = len(POSETRACK_15.joints)
CPU = torch.device('cpu')


def crowd(count: int) -> People:
    rng = np.random.default_rng(0)
    pictures = [rng.integers(0, 256, (90, 80, 3), np.uint8) for _ in range(count)]
    xy = rng.uniform(10, 70, (count, J, 2)).astype(np.float32)
    return People(pictures, xy, np.ones((count, J), bool), np.arange(count), [[]] * count)


def test_covariances_are_scaled_until_half_of_the_joints_lie_in_the_half_ellipse():
    people = crowd(400)
    rng = np.random.default_rng(1)
    spread = rng.uniform(1, 6, J)  # what the network does not know
    xy = people.xy + spread[:, None] * rng.normal(size=people.xy.shape)
    told = np.broadcast_to(np.eye(2), (400, J, 2, 2))
    factors = fit_covariances(Predictions(xy, told, told, np.ones((400, J)), 0.0), people)
    np.testing.assert_allclose(factors, spread**2, rtol=0.25)


def trained(path, config):
    learner = Learner(PoseNetwork(config))
    folder = RunFolder(path)
    folder.write_config(asdict(config))
    optimizer = torch.optim.AdamW(learner.parameters())
    folder.save(learner, Ema(learner), optimizer, Budget(steps=7, step=7))
    return dict(learner.network.named_parameters())


def test_runs_given_together_become_the_mean_of_their_weights(tmp_path, small_config):
    runs = [tmp_path / 'one', tmp_path / 'other']
    one, other = (trained(run, small_config) for run in runs)
    export_run(runs, crowd(20), tmp_path / 'pose')
    found = load_checkpoint(str(tmp_path / 'pose.safetensors'), 'pose2d').tensors
    for name, weights in one.items():
        torch.testing.assert_close(found[name], (weights + other[name]).detach() / 2)


def test_a_checkpoint_may_join_the_mean_of_runs(tmp_path, small_config):
    start, run = trained(tmp_path / 'start', small_config), trained(tmp_path / 'run', small_config)
    export_run([tmp_path / 'start'], crowd(20), tmp_path / 'start')
    export_run([tmp_path / 'start.safetensors', tmp_path / 'run'], crowd(20), tmp_path / 'pose')
    found = load_checkpoint(str(tmp_path / 'pose.safetensors'), 'pose2d').tensors
    for name, weights in start.items():
        torch.testing.assert_close(found[name], (weights + run[name]).detach() / 2)


def test_runs_of_different_networks_have_no_mean(tmp_path, small_config):
    runs = [tmp_path / 'one', tmp_path / 'other']
    trained(runs[0], small_config)
    trained(runs[1], replace(small_config, dim=2 * small_config.dim))
    with pytest.raises(ValueError, match='different networks'):
        export_run(runs, crowd(20), tmp_path / 'pose')


def test_a_run_becomes_a_checkpoint_with_calibrated_scores(tmp_path, small_config):
    trained(tmp_path / 'run', small_config)
    people = crowd(20)
    measures = export_run([tmp_path / 'run'], people, tmp_path / 'pose')
    checkpoint = load_checkpoint(str(tmp_path / 'pose.safetensors'), 'pose2d')
    assert [run['step'] for run in checkpoint.extras['training']] == [7]
    assert checkpoint.extras['validation'] == measures
    estimator = VideoEstimator.from_checkpoint(checkpoint, CPU)
    answer = partial(estimate_single, estimator, steps=1, ensembles=2)
    found = predict(answer, estimator.crop_size, people)
    assert measures['ece'] < 0.1
    assert abs(found.score.mean() - measures['pck']) < 0.05
