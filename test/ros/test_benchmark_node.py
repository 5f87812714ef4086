"""The benchmark of the node: what it reports, never how fast this machine is."""

from itertools import islice
import json

from diffpose_ros.cli import main
from diffpose_ros.core.config import PipelineConfig
from diffpose_ros.core.people import Frame
from diffpose_ros.core.pipeline import PosePipeline
from diffpose_ros.core.share import DEMO_CLIP, find_shared
from diffpose_ros.offline import stage_times
from diffpose_ros.offline.video import VideoReader
from diffpose_ros.ros.benchmark_node import NETWORKS, RECORDED, Stopwatch, summary, table
import pytest

pytestmark = pytest.mark.ros
STAGES = {'receive', *stage_times.STAGES}


def test_what_is_no_inference_is_told_stage_by_stage():
    spent = {'decode': 1.0, 'pose2d': 8.0, 'publish': 1.0}
    figures = summary(spent, {'pose2d': 6.0}, frames=7)
    assert figures['beside_networks_ms'] == {'decode': 1.0, 'pose2d': 2.0, 'publish': 1.0}
    assert figures['share_beside_networks'] == pytest.approx(0.4)


def test_networks_are_watched_only_inside_and_count_until_taken(monkeypatch):
    class Network:
        def forward(self, x):
            return x + 1

    plain = Network.forward
    monkeypatch.setattr('diffpose_ros.ros.benchmark_node.NETWORKS', [('a', Network, 'forward')])
    stopwatch = Stopwatch()
    with stopwatch.watching():
        assert Network().forward(1) == 2
    assert Network.forward is plain
    assert stopwatch.take()['a'] > 0
    assert stopwatch.take() == {}


@pytest.mark.parametrize('networks', [NETWORKS, RECORDED])
def test_every_network_that_is_watched_is_at_work_in_an_image(networks, monkeypatch):
    called = set()
    for _, owner, name in networks:
        run = getattr(owner, name)

        def noted(*args, run=run, **kwargs):
            called.add(run.__qualname__)
            return run(*args, **kwargs)

        monkeypatch.setattr(owner, name, noted)
    pipeline = PosePipeline.from_config(PipelineConfig(device='cpu'))
    for time_s, image in islice(VideoReader(find_shared(DEMO_CLIP)), 2):
        pipeline.step(Frame(image, round(1e9 * time_s)))
    assert called == {f'{owner.__name__}.{name}' for _, owner, name in networks}


def test_a_video_too_short_to_measure_is_refused(tmp_path, capsys):
    command = ['benchmark', 'node', '--frames', '160', '--people', '1']
    assert main([*command, '--out', str(tmp_path / 'node.json')]) == 2
    assert 'has 164 images' in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_the_real_node_is_measured_and_the_figures_are_written(tmp_path, capsys):
    out = tmp_path / 'node.json'
    assert main(['benchmark', 'node', '--frames', '2', '--people', '3', '--out', str(out)]) == 0
    result = json.loads(out.read_text())
    assert result['frame']['frames'] == 2
    assert set(result['frame']['beside_networks_ms']) == STAGES
    assert 0 < result['frame']['share_beside_networks'] < 1
    assert all(ms > 0 for ms in result['frame']['networks_ms'].values())
    assert all(ms > 0 for ms in result['messages_ms'].values())
    assert table(result) in capsys.readouterr().out
