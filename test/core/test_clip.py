from collections import deque
from types import SimpleNamespace

from diffpose_ros.core.clip import append_apart, MAX_AHEAD, neighbours, time_slots, with_later
import numpy as np
import pytest

MS = 1_000_000


def at(*milliseconds):
    return [round(t * MS) for t in milliseconds]


def test_neighbours_of_the_newest_frame_leave_holes_in_the_future():
    assert neighbours(at(0, 33, 66, 100), 3, 2, 2, 0, 0.2) == [1, 2, 3, None, None]


def test_the_first_frame_of_a_track_stands_alone():
    assert neighbours(at(0), 0, 2, 2, 0, 0.2) == [None, None, 0, None, None]


def test_nothing_is_taken_from_beyond_a_long_gap():
    assert neighbours(at(0, 500, 533), 2, 2, 0, 0, 0.2) == [None, 1, 2]


def test_offline_windows_reach_into_the_future_too():
    assert neighbours(at(0, 33, 66, 100, 133), 2, 2, 2, 0, 0.2) == [0, 1, 2, 3, 4]


def test_nothing_is_taken_from_behind_a_jump_of_the_clock():
    assert neighbours(at(0, 33, 66, 10, 43), 2, 2, 2, 0, 0.2) == [0, 1, 2, None, None]


def test_frames_that_are_too_near_are_passed_over():
    assert neighbours(at(0, 20, 40, 60, 80, 100, 120), 4, 2, 1, 0.03, 0.2) == [0, 2, 4, 6]


def images(*milliseconds):
    return [SimpleNamespace(stamp_ns=stamp) for stamp in at(*milliseconds)]


@pytest.mark.parametrize('period_ms', [8, 33, 60, 67, 133, 500])
def test_of_a_stream_the_newest_frame_is_kept_and_earlier_ones_that_lie_apart(period_ms):
    kept, stream = deque(maxlen=4), images(*range(0, 5000, period_ms))
    for frame in stream:
        append_apart(kept, frame, 0.12)
        assert kept[-1] is frame
    gaps_s = np.diff([frame.stamp_ns for frame in kept]) / 1e9
    assert len(kept) == 4
    assert (gaps_s[:-1] >= 0.12).all()
    assert (gaps_s < 0.12 + period_ms / 1e3).all()


def test_a_jump_of_the_clock_parts_frames():
    kept = []
    for frame in images(0, 500, 20, 40, 60):
        append_apart(kept, frame, 0.12)
    assert [frame.stamp_ns / MS for frame in kept] == [0, 500, 20, 60]


@pytest.mark.parametrize('period_ms', [8, 33, 67, 133])
def test_later_frames_are_those_that_will_be_kept(period_ms):
    stream, kept = images(*range(0, 2000, period_ms)), []
    for frame in stream:
        append_apart(kept, frame, 0.12)
    told = list(with_later(iter(stream), 2, 0.12))
    assert [frame for frame, _ in told] == stream
    for frame, later in told:
        following = [k for k in kept[:-1] if k.stamp_ns > frame.stamp_ns]
        assert [*later] == following[:2] or frame.stamp_ns > 1700 * MS


def test_where_the_clock_stands_still_a_recording_is_not_read_into_memory():
    coming = iter(images(*[5] * 1000, 500))
    told = with_later(coming, 2, 0.12)
    next(told)
    assert len(list(coming)) > 1000 - MAX_AHEAD - 1
    assert len(list(told)) == MAX_AHEAD


@pytest.mark.parametrize(
    ('fps', 'filled'),
    [(30, [0, 1, 2, 3, 4]), (15, [0, 2, 4]), (10, [1, 4]), (60, [0, 1, 2, 3, 4])],
)
def test_the_time_grid_takes_what_any_camera_rate_offers(fps, filled):
    stamps = at(*(1000 / fps * i for i in range(20)))
    slots = time_slots(stamps, 19, 4, 2, 1 / 30)
    assert [i for i, slot in enumerate(slots) if slot is not None] == filled
    assert slots[4] == 19


def test_every_slot_holds_the_nearest_frame():
    rng = np.random.default_rng(0)
    stamps = np.sort(rng.integers(0, 1000 * MS, 60)).tolist()
    for slot, i in enumerate(time_slots(stamps, 40, 10, 10, 0.02)):
        grid = stamps[40] + (slot - 10) * 20 * MS
        nearest = min(abs(s - grid) for s in stamps)
        if slot != 10 and i is not None:
            assert abs(stamps[i] - grid) == nearest
        if i is None:
            assert nearest >= 10 * MS
