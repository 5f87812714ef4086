"""Items by stamp: the nearest is found, what may still come is waited for, nothing else."""

from threading import Timer

from diffpose_ros.ros import matching
from diffpose_ros.ros.matching import StampBuffer
import pytest

MS = 1_000_000
FOREVER_S = 600  # a test that waits so long has failed


@pytest.fixture
def buffer():
    buffer = StampBuffer()
    for stamp_ms in (100, 133, 166):
        buffer.put(stamp_ms * MS, f'at {stamp_ms}')
    return buffer


@pytest.fixture(autouse=True)
def unhurried(monkeypatch):
    monkeypatch.setattr(matching, 'SILENT_S', FOREVER_S)


@pytest.mark.parametrize(
    ('stamp_ms', 'found'),
    [(100, 'at 100'), (133, 'at 133'), (125, 'at 133'), (141, 'at 133'), (90, 'at 100')],
)
def test_the_item_with_the_nearest_stamp_is_found(buffer, stamp_ms, found):
    assert buffer.get(stamp_ms * MS, 15 * MS, FOREVER_S) == found


def test_without_tolerance_only_the_exact_stamp_fits(buffer):
    assert buffer.get(133 * MS, 0, FOREVER_S) == 'at 133'
    assert buffer.get(133 * MS + 1, 0, FOREVER_S) is None


def test_what_is_lost_is_not_waited_for(buffer):
    assert buffer.get(116 * MS, 5 * MS, FOREVER_S) is None


def test_what_has_not_come_yet_is_waited_for(buffer):
    late = Timer(0.1, buffer.put, (200 * MS, 'late'))
    late.start()
    assert buffer.get(200 * MS, 15 * MS, FOREVER_S) == 'late'
    late.join()


def test_the_one_before_is_not_taken_while_the_right_one_may_come(buffer):
    buffer.put(177 * MS, 'before')  # 90 per second
    late = Timer(0.1, buffer.put, (188 * MS, 'late'))
    late.start()
    assert buffer.get(188 * MS, 15 * MS, FOREVER_S) == 'late'
    late.join()


def test_what_is_always_a_little_earlier_is_taken_at_once(buffer):
    assert buffer.get(178 * MS, 15 * MS, FOREVER_S) == 'at 166'


def test_waiting_ends(buffer):
    assert buffer.get(200 * MS, 15 * MS, 0.01) is None


def test_a_topic_that_never_spoke_is_not_waited_for():
    assert StampBuffer().get(100 * MS, 15 * MS, FOREVER_S) is None


def test_a_topic_that_fell_silent_is_not_waited_for(buffer, monkeypatch):
    monkeypatch.setattr(matching, 'SILENT_S', 0)
    assert buffer.get(200 * MS, 15 * MS, FOREVER_S) is None


def test_only_the_last_items_are_kept(buffer):
    for stamp_ms in range(200, 200 + matching.KEPT):
        buffer.put(stamp_ms * MS, 'new')
    assert buffer.get(166 * MS, 15 * MS, FOREVER_S) is None


def test_time_may_start_anew(buffer):
    buffer.put(10 * MS, 'again')
    assert buffer.get(10 * MS, 15 * MS, FOREVER_S) == 'again'
    assert buffer.get(100 * MS, 15 * MS, 0.01) is None
