"""Arguments of evaluations and benchmarks: what is wrong is told before anything is measured."""

import argparse

from diffpose_ros.cli import COMMANDS, main
from diffpose_ros.evaluate.arguments import check_output, json_file
import pytest

MEASURING = [words for words in COMMANDS if words[0] in ('evaluate', 'benchmark')]


@pytest.mark.parametrize('words', MEASURING, ids=' '.join)
def test_an_output_that_is_no_json_file_is_refused_and_stays_as_it_was(words, tmp_path, capsys):
    if words in [('benchmark', 'node'), ('benchmark', 'graph')]:
        pytest.importorskip('rclpy')
    labels = tmp_path / 'labels.npz'
    labels.write_text('true joints')
    with pytest.raises(SystemExit, match='2'):
        main([*words, '--out', str(labels)])
    assert 'name it NAME.json' in capsys.readouterr().err
    assert labels.read_text() == 'true joints'


@pytest.mark.parametrize(
    ('name', 'told'), [('a.json', 'is a folder; name a file'), ('file/b.json', 'another folder')]
)
def test_an_output_that_cannot_be_written_is_refused(name, told, tmp_path):
    (tmp_path / 'a.json').mkdir()
    (tmp_path / 'file').touch()
    with pytest.raises(argparse.ArgumentTypeError, match=told):
        json_file(str(tmp_path / name))


def test_the_folder_of_the_output_is_made(tmp_path):
    assert json_file(str(tmp_path / 'new' / 'out.json')).parent.is_dir()


@pytest.mark.parametrize('name', ['cameras.json', 'labels/clip.json'])
def test_an_input_is_not_overwritten(name, tmp_path):
    with pytest.raises(ValueError, match='name another output'):
        check_output(tmp_path / name, tmp_path / 'cameras.json', tmp_path / 'labels')
    check_output(tmp_path / 'out.json', tmp_path / 'cameras.json', tmp_path / 'labels')


@pytest.mark.parametrize(
    'words',
    [
        'evaluate mocap --data x',
        'evaluate mocap --data x --start gaussian',
        'evaluate h36m --poses x --detections x --cameras x',
        'evaluate mpi-inf-3dhp --data x --cameras x',
        'evaluate images2d --images x --labels x',
        'evaluate clip --video x --labels x',
        'evaluate detector --images x',
        'evaluate posetrack --ground-truth x --predictions y --images x --device cpu',
        'benchmark pose2d',
        'benchmark lift3d',
    ],
)
def test_the_manifest_of_a_checkpoint_is_not_overwritten(words, tmp_path, capsys):
    weights, manifest = tmp_path / 'mine.safetensors', tmp_path / 'mine.json'
    weights.touch()
    manifest.write_text('manifest')
    with pytest.raises(SystemExit, match='2'):
        main([*words.split(), '--out', str(manifest)])
    assert 'mine.json is the manifest of a checkpoint' in capsys.readouterr().err
    assert manifest.read_text() == 'manifest'


@pytest.mark.parametrize(
    ('words', 'options'),
    [
        ('benchmark pose2d', 'people steps ensembles threads'),
        ('benchmark lift3d', 'people hypotheses steps threads'),
        ('benchmark node', 'frames people threads'),
        ('evaluate detector', 'threads'),
        ('train lift3d', 'batch components'),
        ('train detector', 'batch size workers'),
        ('train video2d', 'batch'),
    ],
)
def test_none_is_too_few(words, options, capsys):
    if words == 'benchmark node':
        pytest.importorskip('rclpy')
    for option in options.split():
        with pytest.raises(SystemExit, match='2'):
            main([*words.split(), f'--{option}', '0'])
        assert f'--{option}: 0 is too few' in capsys.readouterr().err


@pytest.mark.parametrize(
    ('words', 'told'),
    [
        ('train detector --data x --size 100', 'size = 100; set it to a multiple of 32'),
        ('train video2d --threads -1', 'threads = -1; set it to 0 or more'),
    ],
)
def test_a_training_that_cannot_be_is_refused_before_anything_is_written(
    words, told, tmp_path, capsys
):
    out = tmp_path / 'run'
    assert main([*words.split(), '--out', str(out)]) == 2
    assert told in capsys.readouterr().err
    assert not out.exists()
