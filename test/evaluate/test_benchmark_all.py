"""All benchmarks in one file, the parts being measured by stand-ins."""

import argparse
import json

from diffpose_ros.evaluate import benchmark_all, compare
import pytest


def arguments(*words):
    parser = argparse.ArgumentParser()
    benchmark_all.add_arguments(parser)
    return parser.parse_args([str(word) for word in words])


def test_every_part_stands_in_the_file_and_is_compared_with_that_of_before(
    tmp_path, monkeypatch, capsys
):
    monkeypatch.setattr(benchmark_all, 'measure', lambda part, out: {'ms': len(part)})
    before, now = tmp_path / 'before.json', tmp_path / 'now.json'
    before.write_text(json.dumps({'graph': {'ms': 10}}))
    assert benchmark_all.run(arguments('--out', now, '--compare', before)) == 0
    assert set(compare.read(now)) == {'graph', 'pose2d', 'lift3d', 'node'}
    assert '0.50' in capsys.readouterr().out


def test_a_part_that_fails_is_named_and_nothing_is_written(tmp_path, monkeypatch):
    monkeypatch.setattr(benchmark_all, 'PARTS', ('no_such_part',))
    out = tmp_path / 'now.json'
    with pytest.raises(ValueError, match='no_such_part'):
        benchmark_all.run(arguments('--out', out))
    assert not out.exists()


def test_a_part_is_measured_by_its_own_command(tmp_path, monkeypatch):
    ran = []

    def run(command, check):
        ran.append(command)
        (tmp_path / 'node.json').write_text('{"threads": 2}')
        return argparse.Namespace(returncode=0)

    monkeypatch.setattr(benchmark_all.subprocess, 'run', run)
    assert benchmark_all.measure('node', tmp_path / 'node.json') == {'threads': 2}
    assert ran[0][1:5] == ['-m', 'diffpose_ros.cli', 'benchmark', 'node']
