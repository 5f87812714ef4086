"""A few steps of training on made-up clips: it runs, saves, resumes, and exports."""

from dataclasses import replace
import json
import subprocess
import sys
from unittest.mock import Mock

from diffpose_ros import cli
from diffpose_ros.core.checkpoint import load_checkpoint
from diffpose_ros.core.skeleton import H36M_17
from diffpose_ros.data.mocap import part_of
from diffpose_ros.lift3d.lifter import Lifter
from diffpose_ros.lift3d.model import LiftModel
from diffpose_ros.train import lift3d
import numpy as np
import pytest
import torch

J = len(H36M_17.joints)


def named(part):
    return next(f'a/m{i}.bvh' for i in range(1000) if part_of(f'a/m{i}.bvh') == part)


@pytest.fixture
def data(tmp_path):
    pose = np.random.default_rng(0).normal(0, 0.3, (J, 3))
    for name in ('cmu_train.npz', 'deepmimic_train.npz'):
        np.savez(
            tmp_path / name,
            joints_root_relative_m=np.tile(pose - pose[0], (60, 1, 1)).astype(np.float16),
            root_m=np.zeros((60, 3), np.float32),
            clip_lengths=np.array([30, 30]),
            clip_names=np.array([named('train'), named('held_out')]),
            fps=30,
            joint_names=np.array(H36M_17.joints),
        )
    return tmp_path


@pytest.fixture
def trainer(data, monkeypatch):
    monkeypatch.setattr(lift3d, 'HELD_OUT_WINDOWS', 4)
    monkeypatch.setattr(lift3d, 'FIT_BATCHES', 1)
    monkeypatch.setattr(lift3d, 'FIT_BATCH', 64)
    config = lift3d.TrainConfig(minutes=1, batch=2)
    return lift3d.Trainer(config, data, data, torch.device('cpu'))


def test_a_run_saves_resumes_and_exports(trainer, data):
    losses = trainer.train_step()
    assert all(np.isfinite(value) for value in losses.values())
    trainer.fit_mixture()
    trainer.budget.step, trainer.budget.elapsed_s = 1, 30
    trainer.check(losses)
    record = json.loads((data / 'log.jsonl').read_text())
    assert {'encoder_mm', 'full_K1_N1_mm', 'step', 'minutes'} <= set(record)

    again = lift3d.Trainer(trainer.config, data, data, torch.device('cpu'))
    again.resume()
    assert (again.budget.step, again.budget.progress) == (1, 0.5)
    assert (again.checks, again.fits) == (lift3d.CHECKS // 2, len(lift3d.MIXTURE_AT))
    assert again.train_step() == pytest.approx(trainer.train_step())

    checkpoint = load_checkpoint(str(data / 'lift3d.safetensors'), 'lift3d')
    Lifter.from_checkpoint(checkpoint, torch.device('cpu'))
    assert torch.equal(checkpoint.tensors['mu'], trainer.model.mu)


def test_a_run_of_another_kind_of_device_goes_on_with_other_draws(trainer, data, monkeypatch):
    trainer.train_step()
    of_a_gpu = Mock(get_state=lambda: torch.zeros(16, dtype=torch.uint8))
    monkeypatch.setattr(trainer, 'drawing', of_a_gpu)
    trainer.save()
    again = lift3d.Trainer(trainer.config, data, data, torch.device('cpu'))
    again.resume()
    assert again.ema.updates == 1
    assert np.isfinite(again.train_step()['encoder'])


def test_a_run_starts_from_the_weights_of_a_checkpoint(trainer, data):
    trainer.train_step()
    trainer.export({})
    other = lift3d.Trainer(replace(trainer.config, seed=5), data, data, torch.device('cpu'))
    other.start_from(load_checkpoint(str(data / 'lift3d.safetensors'), 'lift3d'))
    wanted, started = trainer.ema.model.state_dict(), other.model.state_dict()
    assert all(torch.equal(started[name], wanted[name]) for name in wanted)


def test_ablations_are_trained_like_the_model_and_say_what_they_lack(trainer, data):
    sizes = replace(lift3d.SIZES, components=1, context_told=False)
    ablated = lift3d.Trainer(trainer.config, data, data, torch.device('cpu'), sizes)
    ablated.train_step()
    ablated.fit_mixture()
    ablated.export({})
    checkpoint = load_checkpoint(str(data / 'lift3d.safetensors'), 'lift3d')
    assert (checkpoint.config['components'], checkpoint.config['context_told']) == (1, False)
    Lifter.from_checkpoint(checkpoint, torch.device('cpu'))


def test_a_deterministic_lifter_learns_without_the_denoiser(trainer, data):
    config = replace(trainer.config, denoise=False)
    alone = lift3d.Trainer(config, data, data, torch.device('cpu'))
    before = [p.detach().clone() for p in alone.model.denoiser.parameters()]
    assert alone.train_step()['denoiser'] == 0
    after = alone.model.denoiser.parameters()
    assert all(torch.equal(a, b) for a, b in zip(before, after, strict=True))


TWO_PROCESSES = """
import pathlib, sys, torch
from diffpose_ros.train import lift3d
from diffpose_ros.train.loop import join_others
lift3d.HELD_OUT_WINDOWS, lift3d.FIT_BATCHES, lift3d.FIT_BATCH = 4, 1, 64
data, rank = pathlib.Path(sys.argv[1]), join_others(torch.device('cpu'))
sizes = lift3d.LiftModelConfig(4, 4, 1 / 30, 8, 16, 1, 1, 8, 1)
config = lift3d.TrainConfig(minutes=1, batch=2)
trainer = lift3d.Trainer(config, data, data, torch.device('cpu'), sizes, rank)
loss = trainer.train_step()['encoder']
trainer.fit_mixture()
print(loss, [float(p.double().sum()) for p in trainer.model.state_dict().values()], sep=';')
"""


def test_several_processes_learn_the_same_weights_from_windows_of_their_own(data, as_a_team):
    answers = as_a_team(TWO_PROCESSES, data)
    losses, weights = zip(*(answer.split(';') for answer in answers), strict=True)
    assert losses[0] != losses[1]
    assert weights[0] == weights[1]


def test_training_needs_no_more_than_torch_numpy_safetensors_and_tqdm():
    others = '{"cv2", "scipy", "av", "yaml", "matplotlib", "rclpy"}'
    script = f'import sys, diffpose_ros.train.lift3d; print({others} & set(sys.modules))'
    loaded = subprocess.run([sys.executable, '-c', script], stdout=subprocess.PIPE, check=True)
    assert loaded.stdout.strip() == b'set()'


def test_a_training_without_time_is_refused(data, capsys):
    words = ['--data', str(data), '--out', str(data / 'run'), '--minutes', '0']
    assert cli.main(['train', 'lift3d', *words]) == 2
    assert 'set minutes' in capsys.readouterr().err
    assert not (data / 'run').exists()


def test_untrained_denoiser_leaves_the_encoders_pose_alone():
    model = LiftModel(lift3d.LiftModelConfig()).eval()
    offset, given = torch.randn(2, J, 5), torch.randn(2, J, 10 + 64)
    with torch.no_grad():
        moved = model.denoise(offset, given, torch.tensor([3.0]))
    assert torch.equal(moved, torch.zeros(2, J, 5))
