"""/diagnostics: each level really fires and goes away again."""

from dataclasses import replace
import pickle
import time

from diffpose_ros.core.people import FrameResult, InferenceInfo
from diffpose_ros.ros.diagnostics import Health, Situation
from diffpose_ros.ros.node import DIAGNOSTICS_PERIOD_S
from diffpose_ros.ros.settings import DiagnosticsConfig
from diffpose_ros.ros.timing import Timing
import numpy as np
import pytest

OK, WARN, ERROR, STALE = b'\x00', b'\x01', b'\x02', b'\x03'
ABOUT = Situation(
    'diffpose', 'active', '/image', '', 'm@1', 'cpu', 'rosbags-image', {'/image': 1}, {}
)


def result(*degraded: str) -> FrameResult:
    info = InferenceInfo(1, 1, 2, 5, 27, 'm@1', degraded=frozenset(degraded))
    return FrameResult(0, (), info)


def timing(total_ms: float, budget_ms: float = 0.0) -> Timing:
    return Timing(5.0, 0.0, {'pose2d': total_ms}, total_ms, budget_ms)


def judge(health, about=ABOUT, **config):
    statuses = health.statuses(about, DiagnosticsConfig(**config))
    return {status.name.split(': ')[1]: status for status in statuses}


def values(status):
    return {item.key: item.value for item in status.values}


@pytest.fixture
def health():
    health = Health(since=time.monotonic() - 60)
    health.received(5.0, 'camera')
    return health


def test_whether_the_camera_is_calibrated_is_told_once_an_image_was_processed(health):
    assert values(judge(health)['input'])['camera_info'] == ''
    health.processed(timing(20), result(), 0)
    assert values(judge(health)['input'])['camera_info'] == 'calibrated'


def test_all_is_well_when_images_flow(health):
    for _ in range(50):
        health.received(5.0, 'camera')
        health.processed(timing(20), result(), 0)
    told = judge(health)
    assert [told[kind].level for kind in ('input', 'inference')] == [OK, OK]
    facts = values(told['inference'])
    assert facts['pose2d_ms p95'] == facts['total_ms p50'] == '20.0'
    assert facts['fps'] == '5.0'


@pytest.mark.parametrize(('total_ms', 'level'), [(20, OK), (400, WARN), (2000, ERROR)])
def test_latency_is_judged_by_its_95th_percentile(health, total_ms, level):
    for _ in range(50):
        health.processed(timing(total_ms), result(), 0)
    assert judge(health)['inference'].level == level


def test_a_limit_of_error_below_that_of_warning_holds(health):
    health.processed(timing(200), result(), 0)
    told = judge(health, warn_ms=300.0, error_ms=50.0)['inference']
    assert told.level == ERROR


def test_ages_that_mean_nothing_are_not_counted(health):
    for age_ms in (float('nan'), -1e12):
        health.received(age_ms, 'camera')
    assert values(judge(health)['input'])['age_ms p95'] == '5.0'


def test_few_images_per_second_are_a_warning_unless_few_come(health):
    health.processed(timing(20), result(), 0)
    assert judge(health)['inference'].level == OK
    for _ in range(100):
        health.received(5.0, 'camera')
    assert judge(health)['inference'].level == WARN


def test_after_a_pause_only_images_since_then_make_the_rate(monkeypatch):
    health, now = Health(), time.monotonic()
    for at in np.arange(now - 10, now, 1.0):
        monkeypatch.setattr(time, 'monotonic', lambda at=at: at)
        health.received(5.0, 'camera')
        health.processed(timing(20), result(), 0)
    health.since = now - 2.5
    monkeypatch.setattr(time, 'monotonic', lambda: now)
    told = judge(health, min_fps=1.5)
    assert [values(told[kind])['fps'] for kind in ('input', 'inference')] == ['0.8', '0.8']
    assert told['inference'].level == OK


def test_silence_is_an_error(health):
    health.last_image -= 3
    told = judge(health)['input']
    assert told.level == ERROR
    assert told.message == 'no image for 3.0 s on /image'
    told = judge(health, replace(ABOUT, publishers={'/image': 0}))['input']
    assert 'nobody publishes' in told.message


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
    health.last_image = health.last_result = now
    monkeypatch.setattr(time, 'monotonic', lambda: now)
    told = judge(health)
    assert (told['input'].level, told['inference'].level) == (OK, OK)
    assert values(told['input'])['last error'] == 'bad'


def test_what_is_remembered_does_not_grow_with_the_time(monkeypatch):
    def remembered(seconds):
        health = Health(since=0.0)
        for second in range(seconds):
            monkeypatch.setattr(time, 'monotonic', lambda at=float(second): at)
            health.received(5.0, 'camera')
            health.processed(timing(20.0), result(), 0)
        return len(pickle.dumps(health))

    assert remembered(3000) < 1.1 * remembered(30)


def test_no_calibration_is_a_warning_on_both_sides(health):
    health.processed(timing(20), result('NO_CAMERA_INFO'), 0)
    told = judge(health, replace(ABOUT, camera_problem='camera_info is all zero'))
    assert (told['input'].level, told['inference'].level) == (WARN, WARN)
    assert 'NO_CAMERA_INFO' in told['inference'].message


@pytest.mark.parametrize(('budget_ms', 'level'), [(0, OK), (100, OK), (15, WARN)])
def test_a_budget_that_is_not_held_is_a_warning_and_every_miss_is_counted(
    health, budget_ms, level
):
    for _ in range(50):
        health.processed(timing(20, budget_ms), result(), 0)
    told = judge(health)['inference']
    assert told.level == level
    assert values(told)['budget misses'] == ('50' if level == WARN else '0')


def test_less_effort_under_a_budget_is_no_trouble(health):
    health.processed(timing(20), result('BUDGET'), 0)
    assert judge(health)['inference'].level == OK
    health.processed(timing(20), result('BUDGET', 'PEOPLE_CUT'), 0)
    told = judge(health)['inference']
    assert (told.level, told.message) == (WARN, 'degraded: PEOPLE_CUT')


def test_without_images_the_facts_about_inference_are_stale(health):
    health.processed(timing(20), result(), 0)
    health.last_image -= 3
    health.last_result -= 3
    told = judge(health)['inference']
    assert (told.level, told.message) == (STALE, 'no image was processed for 3.0 s')


def test_images_that_come_but_are_not_processed_are_an_error(health):
    health.last_result -= 30
    told = judge(health)['inference']
    assert told.level == ERROR
    assert told.message.startswith('images come, but none was processed for')


def test_a_slow_device_may_take_its_time_without_being_called_stuck(health):
    health.last_result = time.monotonic() - 8
    assert judge(health, error_ms=10000.0)['inference'].level == OK


def test_memory_is_told(health):
    facts = values(judge(health)['inference'])
    assert 0 < int(facts['memory_mb']) <= int(facts['memory_peak_mb']) + 1
    assert int(facts['gpu_memory_mb']) >= 0


def test_silence_is_told_within_two_seconds_and_its_end_within_one():
    assert DiagnosticsConfig().silent_s + DIAGNOSTICS_PERIOD_S < 2
    assert DIAGNOSTICS_PERIOD_S < 1


def test_images_without_a_frame_are_a_warning(health):
    health.received(5.0, '')
    assert judge(health)['input'].level == WARN


def test_images_without_a_stamp_are_a_warning(health):
    health.received(5.0, 'camera', stamped=False)
    told = judge(health)['input']
    assert told.level == WARN
    assert 'no stamp' in told.message
    health.received(5.0, 'camera')
    assert judge(health)['input'].level == OK


@pytest.mark.ros
def test_the_graph_tells_inactive_silent_and_well(graph):
    g = graph(settings={'diagnostics.silent_s': 5.0})
    assert g.wait_for_level('input', OK) == 'unconfigured: no images are taken'
    g.bring_up()
    g.health.since -= 10
    assert 'no image for' in g.wait_for_level('input', ERROR)
    facts = values(g.bystander.diagnostics[-1].status[0])
    assert facts['publishers of /image'] == facts['publishers of /camera_info'] == '1'
    g.calibrate()
    g.bystander.show()
    assert g.wait_for_level('input', OK) == 'running'


@pytest.mark.ros
def test_the_graph_tells_every_level_of_the_inference(graph):
    settings = {'diagnostics.warn_ms': 60000.0, 'diagnostics.error_ms': 60000.0}
    g = graph(settings=settings).bring_up()
    g.bystander.show()
    assert 'NO_CAMERA_INFO' in g.wait_for_level('inference', WARN)
    g.calibrate()
    g.bystander.show()
    assert g.wait_for_level('inference', OK) == 'running'
    g.pipeline.failures = 1
    g.bystander.show()
    assert 'told to fail' in g.wait_for_level('inference', ERROR)
    g.health.since = g.health.last_result = 0.0
    assert 'no image was processed' in g.wait_for_level('inference', STALE)


@pytest.mark.ros
def test_a_camera_that_falls_silent_is_told_and_so_is_its_return(graph):
    g = graph().bring_up()
    g.calibrate()
    g.bystander.show()
    assert 'no image for' in g.wait_for_level('input', ERROR)
    camera = g.bystander.create_timer(0.1, g.bystander.show)
    assert g.wait_for_level('input', OK) == 'running'
    camera.cancel()
