"""/diagnostics: each level really fires and goes away again."""

import time

from bystander import wait_for
from diffpose_ros.core.people import FrameResult, InferenceInfo
from diffpose_ros.ros.diagnostics import Health, Situation
from diffpose_ros.ros.settings import DiagnosticsConfig
from diffpose_ros.ros.timing import Timing
import pytest

OK, WARN, ERROR = b'\x00', b'\x01', b'\x02'
ABOUT = Situation('diffpose', 'active', '/image', '', 'm@1', 'cpu', 'rosbags-image')


def result(*degraded: str) -> FrameResult:
    info = InferenceInfo(1, 1, 2, 5, 27, 'm@1', degraded=frozenset(degraded))
    return FrameResult(0, (), info)


def timing(total_ms: float) -> Timing:
    return Timing(5.0, 0.0, {'pose2d': total_ms}, total_ms)


def judge(health, about=ABOUT, **config):
    statuses = health.statuses(about, DiagnosticsConfig(**config))
    return {status.name.split(': ')[1]: status for status in statuses}


@pytest.fixture
def health():
    health = Health(since=time.monotonic() - 60)
    health.received(5.0, 'camera')
    return health


def test_all_is_well_when_images_flow(health):
    for _ in range(50):
        health.received(5.0, 'camera')
        health.processed(timing(20), result(), 0)
    told = judge(health)
    assert [told[kind].level for kind in ('input', 'inference')] == [OK, OK]
    values = {item.key: item.value for item in told['inference'].values}
    assert values['pose2d_ms p95'] == values['total_ms p50'] == '20.0'
    assert values['fps'] == '5.0'


@pytest.mark.parametrize(('total_ms', 'level'), [(20, OK), (400, WARN), (2000, ERROR)])
def test_latency_is_judged_by_its_95th_percentile(health, total_ms, level):
    for _ in range(50):
        health.processed(timing(total_ms), result(), 0)
    assert judge(health)['inference'].level == level


def test_few_images_per_second_are_a_warning_unless_few_come(health):
    health.processed(timing(20), result(), 0)
    assert judge(health)['inference'].level == OK
    for _ in range(100):
        health.received(5.0, 'camera')
    assert judge(health)['inference'].level == WARN


def test_silence_is_an_error(health):
    health.last_image -= 3
    told = judge(health)['input']
    assert told.level == ERROR
    assert told.message.startswith('no image for 3.0 s on /image')


def test_a_broken_image_and_a_broken_pipeline_are_errors(health):
    health.rejected('encoding 32FC1 is not supported')
    health.failed('RuntimeError: out of memory')
    told = judge(health)
    assert (told['input'].level, told['inference'].level) == (ERROR, ERROR)
    assert '32FC1' in told['input'].message
    assert 'out of memory' in told['inference'].message


def test_troubles_pass(health, monkeypatch):
    health.rejected('bad')
    health.failed('bad')
    now = time.monotonic() + 2.5
    health.last_image = now
    monkeypatch.setattr(time, 'monotonic', lambda: now)
    told = judge(health)
    assert (told['input'].level, told['inference'].level) == (OK, OK)
    assert {item.key: item.value for item in told['input'].values}['last error'] == 'bad'


def test_no_calibration_is_a_warning_on_both_sides(health):
    from dataclasses import replace

    health.processed(timing(20), result('NO_CAMERA_INFO'), 0)
    told = judge(health, replace(ABOUT, camera_problem='camera_info is all zero'))
    assert (told['input'].level, told['inference'].level) == (WARN, WARN)
    assert 'NO_CAMERA_INFO' in told['inference'].message


def test_images_without_a_frame_are_a_warning(health):
    health.received(5.0, '')
    assert judge(health)['input'].level == WARN


@pytest.mark.ros
def test_the_graph_tells_inactive_silent_and_well(graph):
    g = graph(settings={'diagnostics.silent_s': 5.0})
    assert g.wait_for_level('input', OK) == 'unconfigured: no images are taken'
    g.bring_up()
    g.node._health.since -= 10
    assert 'no image for' in g.wait_for_level('input', ERROR)
    g.bystander.calibrate()
    wait_for(lambda: g.node._cameras._info)
    g.bystander.show()
    assert g.wait_for_level('input', OK) == 'running'
