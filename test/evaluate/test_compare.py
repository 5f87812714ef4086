"""Results of benchmarks against earlier ones."""

import argparse
import json

from diffpose_ros.evaluate import compare
import pytest

BEFORE = {'clip': 'a', 'peak': {'hz': 10, 'loss': 0.0}, 'rows': [{'ms': 4.0}, {'ms': 5.0}]}
NOW = {'clip': 'b', 'peak': {'hz': 15.0, 'loss': 0.01}, 'rows': [{'ms': 1.0}], 'ok': True}


def arguments(*words):
    parser = argparse.ArgumentParser()
    compare.add_arguments(parser)
    return parser.parse_args(['--out', *map(str, words)])


def test_the_ratio_of_every_number_that_both_have_is_told(tmp_path, capsys):
    earlier = tmp_path / 'before.json'
    earlier.write_text(json.dumps(BEFORE))
    compare.write_and_compare(NOW, arguments(tmp_path / 'now.json', '--compare', earlier))
    rows = [line.split() for line in capsys.readouterr().out.splitlines()[1:]]
    assert rows == [
        ['peak.hz', '10', '15', '1.50'],
        ['peak.loss', '0', '0.01', '-'],
        ['rows.0.ms', '4', '1', '0.25'],
    ]
    assert json.loads((tmp_path / 'now.json').read_text()) == NOW


def test_without_an_earlier_result_only_the_file_is_written(tmp_path, capsys):
    compare.write_and_compare(NOW, arguments(tmp_path / 'deep' / 'now.json'))
    assert (tmp_path / 'deep' / 'now.json').is_file()
    assert capsys.readouterr().out == ''


@pytest.mark.parametrize(
    ('name', 'complaint'),
    [
        ('half.json', 'half.json is no result of a benchmark'),
        ('list.json', 'list.json is no result of a benchmark'),
        ('words.json', 'words.json is no result of a benchmark'),
        ('nowhere.json', 'No such file'),
    ],
)
def test_what_is_no_result_is_refused_in_words_before_anything_is_measured(
    tmp_path, capsys, name, complaint
):
    (tmp_path / 'half.json').write_text('{"half": ')
    (tmp_path / 'list.json').write_text('[1, 2]')
    (tmp_path / 'words.json').write_text('{"kind": "pose2d"}')
    with pytest.raises(SystemExit, match='2'):
        arguments(tmp_path / 'now.json', '--compare', tmp_path / name)
    assert complaint in capsys.readouterr().err
