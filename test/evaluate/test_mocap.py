"""The protocol on made-up clips, with an untrained network: shapes, cameras, noise, JSON."""

from argparse import ArgumentParser
from dataclasses import asdict, replace
import json

from diffpose_ros.core.checkpoint import save_checkpoint
from diffpose_ros.core.skeleton import H36M_17
from diffpose_ros.data.mocap import load_clips
from diffpose_ros.evaluate.mocap import add_arguments, film, pck_probability, run
from diffpose_ros.lift3d.calibration import Calibration
from diffpose_ros.lift3d.lifter import Lifter
from diffpose_ros.lift3d.model import LiftModel, LiftModelConfig
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
    return Lifter(LiftModel(SMALL), Calibration(np.ones(J), np.ones(J)), torch.device('cpu'))


def test_each_second_has_a_camera_of_its_own(mocap, lifter):
    windows = film(load_clips(mocap), lifter, 0, centred=False)
    same = [
        np.allclose(windows.inputs.rays[i, 4], windows.inputs.rays[i - 1, 4]) for i in range(1, 70)
    ]
    assert [i for i, s in enumerate(same, start=1) if not s] == [30, 40]


def test_seconds_last_as_long_as_the_rate_of_the_clips_says(mocap, lifter):
    windows = film(replace(load_clips(mocap), fps=19.5), lifter, 0, centred=False)
    rays = windows.inputs.rays[:40, 4]
    cuts = [i for i in range(1, 40) if not np.allclose(rays[i], rays[i - 1])]
    assert cuts == [20, 39]


def test_causal_windows_do_not_see_the_future(mocap, lifter):
    clips = load_clips(mocap)
    assert not film(clips, lifter, 0, centred=False).inputs.present[:, 5:].any()
    assert film(clips, lifter, 0, centred=True).inputs.present[20, 5:].all()


def test_slots_hold_the_frames_of_their_time_whatever_the_rate_of_the_clips(mocap, lifter):
    clips = load_clips(mocap)
    fast = replace(clips, fps=60)  # two frames per slot of 1/30 s
    reach = film(clips, lifter, 0, centred=True).inputs.present.sum(axis=1)
    assert reach[:6].tolist() == [5, 6, 7, 8, 9, 9]
    reach = film(fast, lifter, 0, centred=True).inputs.present.sum(axis=1)
    assert reach[:9].tolist() == [5, 5, 6, 6, 7, 7, 8, 8, 9]


def test_noise_has_the_size_that_was_asked_for(mocap, lifter):
    clips = load_clips(mocap)
    exact, noisy = (film(clips, lifter, px, centred=False) for px in (0, 5))
    error = noisy.inputs.rays - exact.inputs.rays
    claimed = np.sqrt(noisy.inputs.covariance[..., 0, 0])
    assert np.std(error[..., 0] / claimed) == pytest.approx(1, abs=0.03)
    assert not exact.inputs.covariance.any()
    assert (exact.inputs.score == 1).all()
    assert noisy.inputs.score.max() == pytest.approx(pck_probability(5 / 250))


@pytest.fixture
def evaluated(mocap, tmp_path):
    checkpoint = tmp_path / 'small.safetensors'
    save_checkpoint(checkpoint, 'lift3d', asdict(SMALL), LiftModel(SMALL).state_dict(), {})
    parser = ArgumentParser()
    add_arguments(parser)

    def evaluate(options):
        out = tmp_path / 'new' / 'mocap.json'
        words = f'--data {mocap} --out {out} --checkpoint {checkpoint} {options}'
        assert run(parser.parse_args(words.split())) == 0
        return json.loads(out.read_text())

    return evaluate


def test_json_has_the_agreed_keys(evaluated):
    result = evaluated('--steps 1 --hypotheses 2')
    agreed = 'mpjpe_mm p_mpjpe_mm coverage_50 coverage_68 coverage_90 coverage_95 frames steps'
    assert {*agreed.split(), 'hypotheses', 'ms_per_frame'} <= set(result)
    assert result['frames'] == 70
    assert (result['steps'], result['hypotheses']) == (1, 2)


@pytest.mark.parametrize(
    ('options', 'told'),
    [
        ('--steps 2 200', 'lift_steps = 200; set it between 1 and 50'),
        ('--steps -1', 'lift_steps = -1'),
        ('--hypotheses 0', 'hypotheses = 0; set it between 1 and 100'),
        ('--every 0', 'every = 0; set it to 1 or more'),
    ],
)
def test_settings_out_of_range_are_refused(evaluated, options, told):
    with pytest.raises(ValueError, match=told):
        evaluated(options)


def test_several_settings_give_a_row_each_and_a_picture(evaluated, tmp_path, capsys):
    plot = tmp_path / 'plots' / 'settings.png'
    result = evaluated(f'--steps 0 1 2 --hypotheses 1 3 --plot {plot}')
    rows = [(row['steps'], row['hypotheses']) for row in result['settings']]
    heads, *lines = (line.split() for line in capsys.readouterr().out.splitlines())
    assert heads[:3] == ['steps', 'hypotheses', 'mpjpe_mm']
    assert [(int(steps), int(N)) for steps, N, *_ in lines] == rows
    assert rows == [(0, 1), (1, 1), (1, 3), (2, 1), (2, 3)]
    assert result['mpjpe_mm'] == result['settings'][0]['mpjpe_mm']
    assert plot.read_bytes()[1:4] == b'PNG'


def test_rows_of_a_table_are_what_single_runs_give(evaluated):
    (_, row) = evaluated('--steps 1 2 --hypotheses 3')['settings']
    alone = evaluated('--steps 2 --hypotheses 3')
    assert row['mpjpe_mm'] == pytest.approx(alone['mpjpe_mm'], rel=1e-6)
    assert row['coverage_90'] == alone['coverage_90']


def test_every_tenth_frame_is_one_of_all(mocap, lifter):
    clips = load_clips(mocap)
    all_frames = film(clips, lifter, 5, centred=False)
    some = film(clips, lifter, 5, centred=False, every=10)
    np.testing.assert_array_equal(some.inputs.rays, all_frames.inputs.rays[::10])
    np.testing.assert_array_equal(some.truth, all_frames.truth[::10])


def test_json_says_where_the_hypotheses_began(evaluated):
    assert evaluated('--start gaussian')['start'] == 'gaussian'
    assert evaluated('')['start'] == 'mixture'
