"""Segments: where recordings are cut, and that nobody notices in the result."""

import itertools

from diffpose_ros.core.people import Box, Frame, FrameResult, InferenceInfo, Person, TrackState
from diffpose_ros.offline.segments import Answer, cut, END_OF_TIME_NS, process, Seams, Segment
import numpy as np
import pytest

S = 1_000_000_000
INFO = InferenceInfo(1, 1, 2, 5, 14, 'm')
FIRST, SECOND = cut(0, 60 * S)
ALL = Segment(0, 0, END_OF_TIME_NS)


class Window:
    """A pipeline that answers with the images less than half a second away, before or after."""

    def reset(self):
        """Have no memory."""

    def follow(self, frames, stage):
        stamps = [frame.stamp_ns for frame in frames]
        for stamp in stamps:
            near = tuple(str(s) for s in stamps if abs(s - stamp) < S / 2)
            yield FrameResult(stamp, (), INFO, lost=near)


def film(segment):
    """Yield the images of a minute at 10 Hz that a segment is shown."""
    for i in range(600):
        if segment.warm_up_ns <= i * S // 10 < segment.look_ahead_ns:
            yield i * S // 10, Frame(np.zeros((2, 2, 3), np.uint8), i * S // 10)


def person(track_id, x=100.0, age_s=1.0):
    return Person(track_id, TrackState.CONFIRMED, age_s, Box(x, 100, 40, 80))


def answer(time_s, *people, lost=()):
    return Answer(time_s * S, (640, 480), FrameResult(time_s * S, people, INFO, lost))


def joined(*parts):
    seams = Seams()
    pairs = zip(parts, (FIRST, SECOND), strict=False)
    return [a.result for part, segment in pairs for a in seams.join(part, segment)]


def ids(result):
    return [person.track_id for person in result.people]


@pytest.mark.parametrize('length_s', [0, 1, 29.9, 30, 30.1, 95])
def test_segments_cover_the_recording_without_gap_or_overlap(length_s):
    segments = cut(5 * S, round((5 + length_s) * S))
    assert segments[0].start_ns == 5 * S
    assert segments[-1].stop_ns == END_OF_TIME_NS
    for before, after in itertools.pairwise(segments):
        assert before.stop_ns == after.start_ns == before.start_ns + 30 * S


def test_an_image_is_seen_with_those_around_it_wherever_the_recording_is_cut():
    ticks = []
    parts = [process(Window(), film(s), s, lambda: ticks.append(1)) for s in (FIRST, SECOND)]
    whole = process(Window(), film(ALL), ALL, lambda: None)
    kept = [
        a
        for part, s in zip(parts, (FIRST, SECOND), strict=True)
        for a in part
        if a.time_ns >= s.start_ns
    ]
    assert kept == whole
    assert len(kept) == len(ticks) == 600


def test_times_are_those_of_the_image_however_much_later_a_stage_comes(monkeypatch):
    now_s = itertools.count()
    monkeypatch.setattr('time.perf_counter', lambda: next(now_s))

    class Late(Window):
        def follow(self, frames, stage):
            seen = []
            for frame in frames:
                with stage('pose2d'):
                    seen.append(frame.stamp_ns)
                    skip(frame)
            for stamp in seen:
                with stage('lift3d'):
                    pass
                yield FrameResult(stamp, (), INFO)

    def skip(frame):
        """Let as many seconds pass as images came before."""
        for _ in range(frame.stamp_ns * 10 // S):
            next(now_s)

    answers = process(Late(), film(FIRST), FIRST, lambda: None, timing=True)
    assert [a.stages_ms['pose2d'] for a in answers] == [1000.0 * (i + 1) for i in range(300)]
    assert {a.stages_ms['lift3d'] for a in answers} == {1000.0}


def test_a_person_keeps_id_and_age_across_a_seam():
    first = [answer(29, person('b0007', age_s=9.0))]
    second = [answer(29, person('b0001', age_s=1.5)), answer(30, person('b0001', age_s=2.5))]
    before, after = joined(first, second)
    assert ids(before) == ids(after) == ['b0001']
    assert after.people[0].age_s == 10.0
    assert after.lost == ()


def test_two_people_are_not_exchanged_at_a_seam():
    first = [answer(29, person('b0001', x=100), person('b0002', x=300))]
    second = [answer(t, person('b0001', x=305), person('b0002', x=105)) for t in (29, 30)]
    _, after = joined(first, second)
    assert [(p.track_id, p.box.x_center) for p in after.people] == [('b0002', 305), ('b0001', 105)]


def test_who_is_not_recognised_at_a_seam_is_lost_and_the_stranger_gets_a_new_id():
    first = [answer(29, person('b0001', x=100))]
    second = [answer(29, person('b0001', x=400)), answer(30, person('b0001', x=400))]
    _, after = joined(first, second)
    assert (ids(after), after.lost) == (['b0002'], ('b0001',))


def test_without_an_image_in_the_warm_up_everybody_is_lost():
    _, after = joined([answer(20, person('b0001'))], [answer(40, person('b0001'))])
    assert (ids(after), after.lost) == (['b0002'], ('b0001',))


def test_candidates_that_were_never_shown_are_not_reported_lost():
    first, _ = joined([answer(1, person('b0002'), lost=('b0001',)), answer(2, lost=('b0002',))])
    assert first.lost == ()
    assert joined([answer(1, person('b0002')), answer(2, lost=('b0002',))])[1].lost == ('b0001',)
