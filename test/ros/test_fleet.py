"""`diffpose bags`: many recordings, by one process or by many that may die."""

import argparse
import json
import os
import signal
import sys

from diffpose_ros.cli import main
from diffpose_ros.offline.manifest import Manifest
from diffpose_ros.ros import bag_job, fleet
import pytest
from recordings import make, record
import torch

COUNTS = {'a.mcap': 130, 'deep/b.mcap': 3, 'deep/c.mcap': 70}


@pytest.fixture(scope='module')
def bags(tmp_path_factory):
    folder = tmp_path_factory.mktemp('bags')
    (folder / 'deep').mkdir()
    for name, count in COUNTS.items():
        record(folder / name, count=count)
    return folder


def arguments(module, *words):
    parser = argparse.ArgumentParser()
    module.add_arguments(parser)
    return parser.parse_args([str(word) for word in words])


def process(bags, out, *words, make_pipeline=make):
    assert fleet.run(arguments(fleet, bags, '-o', out, *words), make_pipeline) == 0
    return {name: (out / name).read_bytes() for name in COUNTS}


@pytest.fixture(scope='module')
def alone(bags, tmp_path_factory):
    """Return the outputs of `diffpose bag`, one by one."""
    folder = tmp_path_factory.mktemp('alone')
    for name in COUNTS:
        bag_job.run(arguments(bag_job, bags / name, '-o', folder / name), make)
    return {name: (folder / name).read_bytes() for name in COUNTS}


def test_every_bag_of_a_folder_comes_out_as_if_it_were_alone(bags, alone, tmp_path):
    out = tmp_path / 'out'
    assert process(bags, out) == alone
    files = {str(path.relative_to(out)) for path in out.rglob('*') if path.is_file()}
    assert files == {*COUNTS, 'manifest.jsonl'}


def test_a_restart_skips_what_is_done_and_does_the_rest(bags, alone, tmp_path):
    process(bags, tmp_path)
    (tmp_path / 'deep' / 'b.mcap').unlink()
    steps = []

    def counted(config):
        follower = make(config)
        step = follower.step
        follower.step = lambda frame: steps.append(frame) or step(frame)
        return follower

    assert process(bags, tmp_path, make_pipeline=counted) == alone
    assert len(steps) == COUNTS['deep/b.mcap']


def test_a_bag_whose_results_cannot_be_written_does_not_stop_the_others(bags, tmp_path):
    (tmp_path / 'deep').write_text('a file where a folder should be')
    with pytest.raises(ValueError, match='2 of 3 bags failed'):
        fleet.run(arguments(fleet, bags, '-o', tmp_path), make)
    assert (tmp_path / 'a.mcap').is_file()


@pytest.mark.parametrize('words', [['--seed', '1'], ['--timing']])
def test_other_settings_are_other_work(bags, tmp_path, words):
    process(bags, tmp_path)
    process(bags, tmp_path, *words)
    lines = (tmp_path / 'manifest.jsonl').read_text().splitlines()
    assert len({json.loads(line)['job'] for line in lines}) == 2 * len(COUNTS)


def test_a_line_of_the_manifest_that_was_cut_short_does_not_count(bags, tmp_path):
    process(bags, tmp_path)
    path = tmp_path / 'manifest.jsonl'
    path.write_bytes(path.read_bytes()[:-6])
    args = arguments(fleet, bags, '-o', tmp_path)
    jobs, _ = fleet.plan(list(fleet.find_bags(bags, tmp_path)), args, fleet.settings(args))
    assert [Manifest(path).holds(job) for job in jobs] == [True, True, False]
    manifest = Manifest(path)
    manifest.add(jobs[-1])
    manifest.add(jobs[0])
    assert all(Manifest(path).holds(job) for job in jobs)


def test_a_bad_bag_is_named_at_the_end_and_does_not_stop_the_others(tmp_path):
    (tmp_path / 'in').mkdir()
    record(tmp_path / 'in' / 'good.mcap', count=2)
    (tmp_path / 'in' / 'bad.mcap').write_bytes(b'no bag')
    with pytest.raises(ValueError, match=r'1 of 2 bags failed: .*bad\.mcap'):
        fleet.run(arguments(fleet, tmp_path / 'in', '-o', tmp_path / 'out'), make)
    assert (tmp_path / 'out' / 'good.mcap').is_file()


@pytest.mark.parametrize('out', ['in', 'out'])
def test_a_folder_without_bags_or_full_of_originals_is_refused(out, tmp_path, capsys):
    (tmp_path / 'in').mkdir()
    assert main(['bags', str(tmp_path / 'in'), '-o', str(tmp_path / out)]) == 2
    assert 'folder' in capsys.readouterr().err


def test_workers_without_ray_are_refused(bags, tmp_path):
    with pytest.raises(ValueError, match='--workers is for --ray'):
        fleet.run(arguments(fleet, bags, '-o', tmp_path, '--workers', '2'), make)


def test_without_ray_the_error_says_how_to_get_it(bags, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, 'ray', None)
    with pytest.raises(ValueError, match=r'pip install .*ray'):
        process(bags, tmp_path, '--ray')


@pytest.fixture(scope='module')
def cluster():
    """Join the cluster of this machine or start one, with room for two workers, or skip."""
    torch.set_num_threads(1)
    ray = pytest.importorskip('ray', reason='pip install ray')
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv('RAY_USAGE_STATS_ENABLED', '0')
        ray.init()
        yield
        ray.shutdown()


@pytest.mark.usefixtures('cluster')
def test_more_workers_than_the_cluster_has_room_for_are_refused(bags, tmp_path):
    with pytest.raises(ValueError, match='room for'):
        process(bags, tmp_path, '--ray', '--workers', '1000')


@pytest.mark.usefixtures('cluster')
def test_two_workers_of_a_cluster_give_the_same_bytes(bags, alone, tmp_path):
    assert process(bags, tmp_path, '--ray', '--workers', '2') == alone


@pytest.mark.usefixtures('cluster')
def test_a_worker_that_is_killed_loses_nothing(bags, alone, tmp_path):
    killed = tmp_path / 'killed'

    def mortal(config):
        follower = make(config)
        step = follower.step

        def step_or_die(frame):
            if follower.steps == 40 and not killed.exists():
                killed.touch()
                os.kill(os.getpid(), signal.SIGKILL)
            return step(frame)

        follower.step = step_or_die
        return follower

    out = tmp_path / 'out'
    assert process(bags, out, '--ray', '--workers', '2', make_pipeline=mortal) == alone
    assert killed.exists()
