"""Labelled people of public data sets become sources that the training can mix in."""

import json

from diffpose_ros.cli import main
from diffpose_ros.data.posetrack import as_people, read_targets
from diffpose_ros.train.augment import Strength
from diffpose_ros.train.stills import Mixture, WindowDataset, Wish
import pytest


@pytest.fixture(scope='module')
def samples(shared_data):
    return shared_data / 'samples'


@pytest.mark.parametrize(
    ('labels', 'root'),
    [('posetrack18/annotations/val', 'posetrack18'), ('jhmdb/test_jhmdb_sub1.json', 'jhmdb')],
)
def test_a_network_trains_on_a_public_data_set_alone(samples, tmp_path, labels, root):
    data = ['--labelled', str(samples / labels), str(samples / root), '--workers', '1']
    size = ['--steps', '2', '--batch', '2', '--crop', '48', '64', '--threads', '1']
    assert main(['train', 'video2d', *data, *size, '--out', str(tmp_path)]) == 0
    last = (tmp_path / 'log.jsonl').read_text().splitlines()[-1]
    assert json.loads(last)['step'] == 2
    assert (tmp_path / 'pose2d.safetensors').is_file()


def test_a_folder_without_a_run_cannot_be_continued(samples, tmp_path, capsys):
    data = ['--labelled', *map(str, (samples / 'jhmdb/test_jhmdb_sub1.json', samples / 'jhmdb'))]
    options = ['--steps', '1', '--start-from', str(tmp_path), *data]
    assert main(['train', 'video2d', *options, '--out', str(tmp_path / 'out')]) == 2
    assert 'last.safetensors' in capsys.readouterr().err.splitlines()[-1]


def test_a_run_does_not_go_on_as_another_network(samples, tmp_path, capsys):
    data = ['--labelled', *map(str, (samples / 'jhmdb/test_jhmdb_sub1.json', samples / 'jhmdb'))]
    (tmp_path / 'config.json').write_text('{"signal_scale": 1.0}')
    (tmp_path / 'last.safetensors').touch()
    assert main(['train', 'video2d', '--steps', '1', *data, '--out', str(tmp_path)]) == 2
    told = capsys.readouterr().err
    assert 'signal_scale' in told
    assert 'give the options of that run' in told


def test_training_on_nothing_is_refused(tmp_path, capsys):
    assert main(['train', 'video2d', '--steps', '1', '--out', str(tmp_path)]) == 2
    assert 'name --data or --labelled' in capsys.readouterr().err


def test_the_training_mixes_them_in(samples):
    targets = read_targets(samples / 'jhmdb' / 'test_jhmdb_sub1.json', samples / 'jhmdb')
    people = as_people(targets)
    dataset = WindowDataset(
        Mixture((people,), (1.0,), (1.0,)), past=2, future=1, strength=Strength()
    )
    sample = dataset[Wish(seed=1, size=(96, 128), window=True)]
    assert sample['frames'].shape == (4, 3, 128, 96)
    assert sample['weight'].shape == (15,)
    assert sample['weight'].any()
