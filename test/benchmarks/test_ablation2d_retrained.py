"""The retrained ablation, on a small network and noise for pictures."""

from diffpose_ros.core.skeleton import POSETRACK_15
from diffpose_ros.data.labelled import People
from diffpose_ros.video2d.calibration import Calibration
from diffpose_ros.video2d.estimator import VideoEstimator
from diffpose_ros.video2d.network import PoseNetwork
import numpy as np
import pytest
import torch

from benchmarks.ablation2d_retrained import (
    Ablation,
    hold_out,
    key_frames,
    PARTS,
    sample_views,
    WINDOWS,
)


@pytest.fixture
def frozen(small_config) -> PoseNetwork:
    return PoseNetwork(small_config).eval().requires_grad_(False)


def films(count: int, earlier: int) -> People:
    rng = np.random.default_rng(0)
    pictures = rng.integers(0, 256, (count, earlier + 1, 80, 60, 3), np.uint8)
    xy = rng.uniform(5, 55, (count, 15, 2)).astype(np.float32)
    told = np.ones((count, 15), bool)
    before = [list(film[:-1]) for film in pictures]
    return People(list(pictures[:, -1]), xy, told, np.arange(count), before, POSETRACK_15)


def held_out_of(frozen: PoseNetwork, people: People):
    plain = Calibration.plain(len(people.skeleton.joints))
    return hold_out(VideoEstimator(frozen, plain, torch.device('cpu')), people)


def test_every_variant_is_trained_and_measured_once(frozen, tmp_path):
    ablation = Ablation(frozen, steps=2, seeds=[0], out=tmp_path / 'out.json')
    photographs = sample_views(frozen, films(3, 0), 32, window=False)
    windows = sample_views(frozen, films(3, 2), 32, window=True)
    ablation.on_photographs(photographs, held_out_of(frozen, films(2, 0)))
    ablation.on_windows(photographs, windows, held_out_of(frozen, films(2, 2)))
    results = ablation.results()
    assert set(results) == {f'{name}, seed 0' for name in (*PARTS, *WINDOWS)}
    shares = [
        share for found in results.values() for row in found.values() for share in row.values()
    ]
    assert all(0 <= share <= 1 for share in shares)
    assert not any(module.training for module in frozen.modules())


def test_without_the_window_only_the_key_frame_is_seen(frozen):
    windows = sample_views(frozen, films(3, 2), 32, window=True)
    assert key_frames(windows, 2).present.nonzero()[:, 1].unique().tolist() == [2]
    assert key_frames(held_out_of(frozen, films(2, 2)), 2).present.sum() == 2
