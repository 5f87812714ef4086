from diffpose_ros.core.clip import neighbours, time_slots
import numpy as np
import pytest

MS = 1_000_000


def at(*milliseconds):
    return [round(t * MS) for t in milliseconds]


def test_neighbours_of_the_newest_frame_leave_holes_in_the_future():
    assert neighbours(at(0, 33, 66, 100), 3, 2, 2, 0.2) == [1, 2, 3, None, None]


def test_the_first_frame_of_a_track_stands_alone():
    assert neighbours(at(0), 0, 2, 2, 0.2) == [None, None, 0, None, None]


def test_nothing_is_taken_from_beyond_a_long_gap():
    assert neighbours(at(0, 500, 533), 2, 2, 0, 0.2) == [None, 1, 2]


def test_offline_windows_reach_into_the_future_too():
    assert neighbours(at(0, 33, 66, 100, 133), 2, 2, 2, 0.2) == [0, 1, 2, 3, 4]


def test_nothing_is_taken_from_behind_a_jump_of_the_clock():
    assert neighbours(at(0, 33, 66, 10, 43), 2, 2, 2, 0.2) == [0, 1, 2, None, None]


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
