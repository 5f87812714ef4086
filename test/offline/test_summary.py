"""The numbers of a run, from recordings made by hand."""

from dataclasses import replace
import json

from diffpose_ros.core.files import write_json
from diffpose_ros.core.people import FrameResult, InferenceInfo
from diffpose_ros.offline.recording import RecordedFrame, Recording, TIMES
from diffpose_ros.offline.summary import percentiles, summarise, table
import numpy as np
import pytest

INFO = InferenceInfo(1, 1, 2, 5, 27, 'model@0')


def frame(number: int, sequence: int, dropped: int, people=(), total_ms: float = 50.0):
    stages = dict.fromkeys(TIMES, 1.0) | {'total': total_ms}
    stamp_ns = 10**18 + number * 100_000_000
    result = FrameResult(stamp_ns, tuple(people), INFO)
    return RecordedFrame(result, sequence, stamp_ns + 60_000_000, stages, dropped)


@pytest.fixture
def summary(person):
    """Return the numbers of 4 processed of 7 received of 8 published images, at 10 fps."""
    frames = (
        frame(1, 1, 0, [], 40.0),
        frame(3, 3, 1, [person()], 50.0),
        frame(4, 4, 0, [person(), replace(person(1), track_id='p2')], 60.0),
        frame(7, 7, 2, [replace(person(), pose2d=None)], 70.0),
    )
    return summarise(Recording(frames), published=8, period_s=0.1)


def test_frames_are_counted_where_they_got_to(summary):
    assert summary['frames_published'] == 8
    assert summary['frames_in'] == 7
    assert summary['frames_lost'] == 1
    assert summary['frames_processed'] == 4
    assert summary['frames_dropped'] == 3
    assert summary['frames_with_person'] == 2


def test_images_dropped_before_the_first_result_count_as_received():
    late = summarise(Recording((frame(5, 5, 4), frame(6, 6, 0))), published=6, period_s=0.1)
    assert (late['frames_in'], late['frames_dropped']) == (6, 4)


def test_the_rate_is_that_of_the_stamps(summary):
    assert summary['fps'] == pytest.approx(3 / 0.6)
    assert summary['input_fps'] == pytest.approx(10)


def test_latency_is_told_as_published_and_as_seen_from_outside(summary):
    assert summary['latency_ms'] == {'p50': 55.0, 'p95': 68.5}
    assert summary['stages_ms']['lift3d'] == {'p50': 1.0, 'p95': 1.0}
    assert summary['stamp_to_recorder_ms'] == {'p50': 60.0, 'p95': 60.0}


def test_people_are_counted_by_frame(summary):
    assert summary['people'] == {'p1': 3, 'p2': 1}
    assert summary['people_per_frame_max'] == 2


def test_percentiles_leave_out_what_is_not_known():
    assert percentiles([1.0, np.nan, 3.0]) == {'p50': 2.0, 'p95': 2.9}
    assert percentiles([np.nan]) == {'p50': None, 'p95': None}


def test_the_file_and_the_table_hold_the_numbers(summary, tmp_path):
    write_json(tmp_path / 'summary.json', summary)
    assert json.loads((tmp_path / 'summary.json').read_text()) == summary
    text = table(summary)
    assert '7 of 8 sent, 1 lost' in text
    assert 'p1 in 3 frames, p2 in 1 frames' in text
    assert len({len(line) for line in text.split('\n')[7:]}) == 1  # columns stand in line


def test_a_run_without_results_has_a_table_too():
    assert 'none' in table(summarise(Recording(()), published=3, period_s=0.1))


def test_the_table_names_the_people_seen_longest_and_counts_the_others(summary):
    crowd = {f'b{i:04d}': i for i in range(1, 30)}
    assert 'b0029 in 29 frames, b0028 in 28 frames, b0027 in 27 frames, 26 more ids' in table(
        summary | {'people': crowd}
    )
