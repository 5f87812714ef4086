"""The benchmark of the graph: real processes and DDS; the pipeline in the node is a stand-in."""

import hashlib
import json

from diffpose_ros.cli import main
from diffpose_ros.core.share import find_shared
from diffpose_ros.ros import benchmark_graph
from diffpose_ros.ros.benchmark_graph import fastest, figures
import pytest

pytestmark = pytest.mark.ros
MS = 1_000_000


def node_of(capacity_hz, asked):
    """Return a play of which as much is lost as comes too fast."""

    def play(rate_hz):
        asked.append(rate_hz)
        return {'asked_hz': rate_hz, 'loss': max(0.0, 1 - capacity_hz / rate_hz)}

    return play


@pytest.mark.parametrize('capacity_hz', [1.5, 7, 48])
def test_the_fastest_rate_with_little_loss_is_found_within_a_tenth(capacity_hz):
    asked = []
    found = fastest(node_of(capacity_hz, asked), 60)['asked_hz']
    assert 0.9 * capacity_hz < found < 1.06 * capacity_hz
    assert len(asked) < 10


def test_a_node_that_holds_the_highest_rate_is_asked_once():
    asked = []
    assert fastest(node_of(1000, asked), 60)['asked_hz'] == 60
    assert asked == [60]


def test_a_node_that_holds_no_rate_has_no_peak():
    assert fastest(node_of(0.1, []), 60) is None


def test_figures_of_a_play_with_two_lost_images():
    sent = [i * 100 * MS for i in range(10)]
    late = {0: 20, 1: 30, 2: 20, 4: 20, 5: 20, 6: 60, 8: 20, 9: 20}
    told = figures(sent, {sent[i]: sent[i] + ms * MS for i, ms in late.items()})
    assert (told['sent'], told['missed'], told['loss']) == (10, 2, 0.2)
    assert told['sent_hz'] == 10.0
    assert told['frame_rate_hz'] == pytest.approx(7 / 0.9, abs=0.01)
    assert (told['latency_ms']['p50'], told['latency_ms']['max']) == (20, 60)
    assert told['jitter_ms']['max'] == 40


def test_a_silent_node_has_no_latency():
    told = figures([0, MS], {})
    assert told['loss'] == 1
    assert told['frame_rate_hz'] == 0
    assert told['latency_ms'] == {'p50': None, 'p95': None, 'max': None}


def test_the_result_holds_peak_rates_and_the_hash_of_the_clip(standin, tmp_path, capsys):
    out = tmp_path / 'graph.json'
    words = ['--out', out, '--seconds', '3', '--rates', '4', '--highest', '1.2']
    assert main(['benchmark', 'graph', *map(str, words)]) == 0
    result = json.loads(out.read_text())
    clip = find_shared('demo/walk.mp4').read_bytes()
    assert result['clip']['sha256'] == hashlib.sha256(clip).hexdigest()
    played = result['4 Hz']
    assert played['sent'] == 12
    assert played['missed'] < 12
    assert played['latency_ms']['p50'] > 0
    assert played['cpu_cores'] > 0
    assert played['cpu_ms_per_answer'] > 0
    assert played['rss_mb'] > 50
    assert '4 Hz' in capsys.readouterr().out


def test_a_node_that_dies_is_told_in_one_line(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(benchmark_graph, 'NODE_MODULE', 'no_such_module')
    assert main(['benchmark', 'graph', '--out', str(tmp_path / 'x.json')]) == 2
    assert 'No module named no_such_module' in capsys.readouterr().err
