"""The benchmarks of the networks, by what does not depend on the machine: their operations."""

import json
import os
import signal
import time

from diffpose_ros.cli import main
from diffpose_ros.evaluate import cost
import pytest


@pytest.fixture
def benchmark(tmp_path, monkeypatch):
    """Return a function that runs a benchmark of one thread and returns its rows."""
    monkeypatch.setattr(cost, 'RUNS', 1)
    monkeypatch.setattr(cost, 'PEAK_SIZES', {'cpu': 64})

    def run(kind, *words):
        out = tmp_path / 'out.json'
        assert main(['benchmark', kind, *words, '--threads', '1', '--out', str(out)]) == 0
        return json.loads(out.read_text())['rows']

    return run


def test_a_second_view_costs_the_2d_estimator_twice_and_more_steps_only_the_decoder(benchmark):
    backbone, *rows = benchmark(
        'pose2d', '--people', '1', '--steps', '1', '2', '--ensembles', '1', '2'
    )
    gflop = {(row['steps'], row['ensembles']): row['gflop'] for row in rows}
    assert gflop[1, 1] > backbone['gflop']
    assert gflop[1, 2] == pytest.approx(2 * gflop[1, 1], rel=1e-3)
    assert gflop[2, 1] - gflop[1, 1] < gflop[1, 1] - backbone['gflop']


def test_equal_hypotheses_of_the_published_lifter_cost_what_one_costs(benchmark):
    few, many = (
        benchmark('lift3d', '--people', '1', '--hypotheses', n, '--steps', '2') for n in '15'
    )
    gflop = {row['model']: row['gflop'] for row in few}
    for row in many:
        once = row['model'] == 'released denoiser, equal poses once'
        if row['model'].startswith('released'):
            assert row['gflop'] == pytest.approx((1 if once else 5) * gflop[row['model']])


def test_an_interrupt_ends_the_benchmark_of_the_node_with_its_graph_still_there(
    tmp_path, monkeypatch, capsys
):
    rclpy = pytest.importorskip('rclpy')
    from diffpose_ros.ros import benchmark_node

    alive = []

    def interrupted(people):
        try:
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(5)
        finally:
            time.sleep(0.2)
            alive.append(rclpy.ok())  # else whatever still spins ends in a traceback

    monkeypatch.setattr(benchmark_node, 'message_costs', interrupted)
    assert main(['benchmark', 'node', '--out', str(tmp_path / 'node.json')]) == 130
    assert capsys.readouterr().err == 'diffpose benchmark node: interrupted\n'
    assert alive == [True]
