from dataclasses import replace

from diffpose_ros.core.config import DetectorConfig, PipelineConfig, TrackConfig
from diffpose_ros.core.likeness import assign
from diffpose_ros.core.people import Box, corners_of, overlaps, Pose2D, TrackState
from diffpose_ros.core.tracker import MIN_IOU, Tracker
import numpy as np
import pytest

CONFIG = PipelineConfig(
    track=TrackConfig(min_hits=2, timeout_s=0.5), detector=DetectorConfig(period=5)
)
FRAME_NS = 33_000_000
FIGURE = np.random.default_rng(0).uniform(-1, 1, (17, 2)) * [40, 90]
LEFT, RIGHT = Box(150, 240, 80, 180), Box(450, 240, 80, 180)


def pose_at(box, score=0.9):
    xy = FIGURE + np.array([box.x_center, box.y_center])
    return Pose2D(xy, np.tile(np.eye(2), (17, 1, 1)), np.full(17, score))


def pose_box(box):
    return Box.around(pose_at(box).xy)


def follow(tracker, frame, *boxes, detections=()):
    """Let one frame pass: move on, detect, see the boxes' poses (a missing one = nobody there)."""
    lost = tracker.advance(frame * FRAME_NS)
    if detections:
        tracker.associate(detections, frame * FRAME_NS)
    poses = [pose_at(LEFT, 0.0) if box is None else pose_at(box) for box in boxes]
    return lost + tracker.observe(poses[: len(tracker.tracks)], frame * FRAME_NS)


def ids(tracker):
    return [track.track_id for track in tracker.tracks]


def test_two_people_get_two_ids_and_keep_them():
    tracker = Tracker(CONFIG)
    follow(tracker, 0, LEFT, RIGHT, detections=[LEFT, RIGHT])
    before = ids(tracker)
    for frame in range(1, 20):
        moved = [replace(b, x_center=b.x_center + 5 * frame) for b in (LEFT, RIGHT)]
        follow(tracker, frame, *moved, detections=moved[::-1] if frame % 5 == 0 else ())
    assert ids(tracker) == before
    assert len(set(before)) == 2


def test_ids_have_the_form_of_rep_155():
    tracker = Tracker(CONFIG)
    follow(tracker, 0, LEFT, detections=[LEFT])
    assert ids(tracker)[0][0].isalpha()
    assert ids(tracker)[0].isalnum()
    assert ids(tracker)[0].islower()


def test_a_track_is_confirmed_after_enough_sightings_and_occluded_when_unseen():
    tracker = Tracker(CONFIG)
    states = []
    for frame, seen in enumerate([LEFT, LEFT, None, LEFT]):
        follow(tracker, frame, seen, detections=[LEFT] if frame == 0 else ())
        states.append(tracker.tracks[0].state(2))
    tentative, confirmed, occluded = (
        TrackState.TENTATIVE,
        TrackState.CONFIRMED,
        TrackState.OCCLUDED,
    )
    assert states == [tentative, confirmed, occluded, confirmed]


def test_an_unseen_track_ends_after_the_timeout_and_its_id_is_told():
    tracker = Tracker(CONFIG)
    follow(tracker, 0, LEFT, detections=[LEFT])
    gone = ids(tracker)
    assert follow(tracker, 15, None) == []
    assert follow(tracker, 16, None) == gone
    assert tracker.tracks == []


def test_a_candidate_that_may_be_somebody_gets_a_second_look_where_its_joints_are():
    tracker = Tracker(CONFIG)
    beside = replace(LEFT, x_center=LEFT.x_center + 40)
    tracker.associate([beside], 0)
    assert tracker.observe([pose_at(LEFT, 0.5)], 0) == []
    (candidate,) = tracker.tracks
    assert candidate.hits == 0
    assert candidate.box.x_center == pytest.approx(pose_box(LEFT).x_center)
    follow(tracker, 1, LEFT, detections=[beside])  # who does not move it back
    assert tracker.tracks == [candidate]
    assert candidate.hits == 1


def test_candidates_do_not_make_the_detector_look_at_every_image():
    tracker = Tracker(CONFIG)
    follow(tracker, 0, LEFT, RIGHT, detections=[LEFT])
    tracker.associate([LEFT, RIGHT], FRAME_NS)
    tracker.observe([pose_at(LEFT), pose_at(RIGHT, 0.5)], FRAME_NS)
    assert [track.hits for track in tracker.tracks] == [2, 0]
    assert not tracker.wants_detection(2 * FRAME_NS)


def test_there_is_no_third_look():
    tracker = Tracker(CONFIG)
    tracker.associate([LEFT], 0)
    for stamp_ns in (0, 0):  # not even where a camera does not stamp
        assert tracker.observe([pose_at(LEFT, 0.5)] * len(tracker.tracks), stamp_ns) == []
    assert tracker.tracks == []


def test_a_candidate_that_is_hardly_anybody_gets_no_second_look():
    tracker = Tracker(CONFIG)
    tracker.associate([LEFT], 0)
    tracker.observe([pose_at(LEFT, 0.33)], 0)
    assert tracker.tracks == []


def test_an_id_is_never_given_twice():
    tracker = Tracker(CONFIG)
    follow(tracker, 0, LEFT, detections=[LEFT])
    first = tracker.clear()
    follow(tracker, 1, LEFT, detections=[LEFT])
    assert not set(first) & set(ids(tracker))


def test_a_detection_without_a_skeleton_never_becomes_a_person():
    tracker = Tracker(CONFIG)
    follow(tracker, 0, None, detections=[LEFT])
    assert tracker.tracks == []


def test_of_two_tracks_on_one_person_the_older_stays():
    tracker = Tracker(CONFIG)
    follow(tracker, 0, LEFT, RIGHT, detections=[LEFT, RIGHT])
    old, young = ids(tracker)
    lost = [one for frame in range(1, 15) for one in follow(tracker, frame, LEFT, LEFT)]
    assert lost == [young]
    assert ids(tracker) == [old]


def test_a_weak_detection_starts_nobody():
    tracker = Tracker(CONFIG)
    follow(tracker, 0, LEFT, detections=[replace(LEFT, score=0.1)])
    assert tracker.tracks == []


def test_no_more_people_than_allowed():
    tracker = Tracker(replace(CONFIG, max_people=1))
    follow(tracker, 0, LEFT, RIGHT, detections=[LEFT, RIGHT])
    assert len(tracker.tracks) == 1


def test_detection_is_wanted_when_somebody_is_missing_and_otherwise_once_per_period():
    tracker = Tracker(CONFIG)
    wanted = []
    for frame in range(12):
        wanted.append(tracker.wants_detection(frame * FRAME_NS))
        follow(tracker, frame, LEFT, detections=[LEFT] if wanted[-1] else ())
    assert [i for i, w in enumerate(wanted) if w] == [0, 5, 10]


def test_a_camera_slower_than_the_timeout_still_confirms_people():
    tracker, every_s = Tracker(CONFIG), 2  # and a timeout of 0.5 s
    for second in range(0, 8, every_s):
        assert tracker.advance(second * 10**9) == []
        tracker.associate([LEFT], second * 10**9)
        tracker.observe([pose_at(LEFT)], second * 10**9)
    assert tracker.tracks[0].state(CONFIG.track.min_hits) == TrackState.CONFIRMED
    assert len(ids(tracker)) == 1


def test_a_slow_camera_does_not_keep_newcomers_waiting():
    tracker, wanted = Tracker(CONFIG), []
    for tenths in range(0, 40, 4):  # 2.5 Hz
        wanted.append(tracker.wants_detection(tenths * 100_000_000))
        tracker.advance(tenths * 100_000_000)
        if wanted[-1]:
            tracker.associate([LEFT], tenths * 100_000_000)
        tracker.observe([pose_at(LEFT)], tenths * 100_000_000)
    assert wanted == [True, False] * 5


def test_assignment_takes_the_best_total_not_the_best_first():
    assert assign(np.array([[0.9, 0.8], [0.8, 0.0]]), MIN_IOU) == {0: 1, 1: 0}


def test_nobody_matches_nobody():
    assert assign(overlaps(corners_of([]), corners_of([LEFT]))[0], MIN_IOU) == {}


def test_when_fewer_people_are_allowed_those_tracked_longest_stay():
    tracker = Tracker(CONFIG)
    follow(tracker, 0, LEFT, detections=[LEFT])
    follow(tracker, 1, LEFT, RIGHT, detections=[LEFT, RIGHT])
    first, second = ids(tracker)
    tracker.config = replace(CONFIG, max_people=1)
    assert tracker.limit() == [second]
    assert ids(tracker) == [first]
    assert tracker.crowded


def test_people_for_whom_there_is_no_place_are_told_until_they_are_gone():
    tracker = Tracker(replace(CONFIG, max_people=1))
    follow(tracker, 0, LEFT, detections=[LEFT])
    assert not tracker.crowded
    follow(tracker, 1, LEFT, detections=[LEFT, RIGHT])
    assert tracker.crowded
    assert len(ids(tracker)) == 1
    follow(tracker, 2, LEFT, detections=[LEFT])
    assert not tracker.crowded


def test_half_a_body_taken_for_a_whole_is_no_second_person():
    tracker = Tracker(CONFIG)
    follow(tracker, 0, LEFT, detections=[LEFT])
    (first,) = ids(tracker)
    top = Box(LEFT.x_center, LEFT.y_center - 60, 80, 60)
    tracker.associate([LEFT, replace(top, y_center=top.y_center - 60)], FRAME_NS)
    whole, half = pose_at(LEFT), pose_at(LEFT)
    half.xy[8:] += [200, 150]  # the other joints are somewhere else
    tracker.observe([whole, half], FRAME_NS)
    assert ids(tracker) == [first]


def test_an_unsure_skeleton_does_not_make_a_person_but_keeps_one_alive():
    tracker = Tracker(CONFIG)
    tracker.associate([LEFT], 0)
    tracker.observe([pose_at(LEFT, 0.4)], 0)
    assert not any(track.hits for track in tracker.tracks)
    follow(tracker, 1, LEFT, detections=[LEFT])
    tracker.observe([pose_at(LEFT, 0.54)], 2 * FRAME_NS)
    assert tracker.tracks[0].pose is not None


def at(x, frame):
    """Return the box of somebody who walks from x, 10 pixels a frame to the right."""
    return replace(LEFT, x_center=x + 10 * frame)


def walk(tracker, frames, hidden=()):
    """Let two people cross; while one is hidden, both crops show the other. Return ids by x."""
    for frame in frames:
        a, b = at(150, frame), replace(RIGHT, x_center=450 - 10 * frame)
        visible = a if frame in hidden else b
        follow(tracker, frame, a, visible, detections=() if tracker.tracks else [a, b])
    return [t.track_id for t in sorted(tracker.tracks, key=lambda t: t.expected.xy[:, 0].mean())]


def test_two_people_who_cross_keep_their_ids_although_one_hides_the_other():
    tracker = Tracker(CONFIG)
    before = walk(tracker, range(13))
    after = walk(tracker, range(13, 30), hidden=range(13, 18))
    assert after == before[::-1]
    assert len(tracker.tracks) == 2


@pytest.mark.parametrize('first', [0, 6, 9])
def test_who_was_seen_apart_only_shortly_before_keeps_the_id_too(first):
    tracker = Tracker(CONFIG)
    before = walk(tracker, range(first, 13))
    after = walk(tracker, range(13, 30), hidden=range(13, 18))
    assert after == before[::-1]


def test_a_track_that_was_never_apart_from_another_is_its_double_and_ends():
    tracker = Tracker(CONFIG)
    beside = replace(LEFT, x_center=LEFT.x_center + 50)
    for frame in range(5):
        follow(tracker, frame, LEFT, beside, detections=() if frame else [LEFT, beside])
    person, double = ids(tracker)
    lost = {frame: follow(tracker, frame, LEFT, LEFT) for frame in range(5, 15)}
    assert {frame for frame in lost if lost[frame]} == {14}  # it was given 0.3 s to look aside
    assert lost[14] == [double]
    assert ids(tracker) == [person]


def test_a_crop_that_showed_somebody_else_looks_aside_until_they_are_apart():
    tracker = Tracker(CONFIG)
    walk(tracker, range(13))
    front, behind = tracker.tracks
    walk(tracker, range(13, 15), hidden=range(13, 15))
    assert front.aim == front.box
    away = behind.box.x_center - front.box.x_center
    assert (behind.aim.x_center - behind.box.x_center) * away > 0
    walk(tracker, range(15, 30))
    assert behind.aim == behind.box


def test_who_is_hidden_is_told_to_be_and_moves_on():
    tracker = Tracker(CONFIG)
    walk(tracker, range(13))
    a, b = tracker.tracks
    where = b.box.x_center
    walk(tracker, range(13, 16), hidden=range(13, 16))
    assert b.state(2) == TrackState.OCCLUDED
    assert a.state(2) == TrackState.CONFIRMED
    assert b.box.x_center < where - 10


def test_a_skeleton_in_the_crop_of_another_goes_to_the_track_that_expects_it():
    tracker = Tracker(CONFIG)
    for frame in range(12):
        follow(tracker, frame, LEFT, RIGHT, detections=() if frame else [LEFT, RIGHT])
    follow(tracker, 12, RIGHT, LEFT)
    assert [track.box.x_center < 300 for track in tracker.tracks] == [True, False]


def test_a_skeleton_that_shrinks_to_a_point_is_nobody():
    tracker = Tracker(CONFIG)
    follow(tracker, 0, LEFT, detections=[LEFT])
    point = pose_at(LEFT)
    point.xy[:] = point.xy.mean(axis=0) + 1e-2 * (point.xy - point.xy.mean(axis=0))
    tracker.observe([point], FRAME_NS)
    assert tracker.tracks[0].pose is None


def test_a_skeleton_much_less_sure_than_usual_is_nobody_for_a_while():
    tracker = Tracker(CONFIG)
    for frame in range(5):
        follow(tracker, frame, LEFT, detections=() if frame else [LEFT])
    faint = pose_at(LEFT, 0.45)
    seen = []
    for frame in range(5, 15):
        tracker.advance(frame * FRAME_NS)
        tracker.observe([faint], frame * FRAME_NS)
        seen.append(tracker.tracks[0].pose is not None)
    assert not seen[0]
    assert seen[-1]


def test_an_unsure_track_that_no_detection_finds_ends():
    tracker = Tracker(CONFIG)
    follow(tracker, 0, LEFT, detections=[LEFT])
    (ghost,) = ids(tracker)
    lost = []
    for frame in range(1, 12):
        tracker.advance(frame * FRAME_NS)
        tracker.associate([replace(RIGHT, score=0.1)], frame * FRAME_NS)
        lost += tracker.observe([pose_at(LEFT, 0.54)][: len(tracker.tracks)], frame * FRAME_NS)
    assert lost == [ghost]


def test_a_detection_that_shows_nobody_ends_unheard():
    tracker = Tracker(CONFIG)
    assert follow(tracker, 0, None, detections=[LEFT]) == []
    assert ids(tracker) == []


def test_the_detector_looks_more_often_while_people_meet():
    tracker = Tracker(CONFIG)
    near = replace(LEFT, x_center=LEFT.x_center + 50)
    wanted = []
    for frame in range(12):
        wanted.append(tracker.wants_detection(frame * FRAME_NS))
        follow(tracker, frame, LEFT, near, detections=[LEFT, near] if wanted[-1] else ())
    assert [i for i, w in enumerate(wanted) if w] == [0, 3, 6, 9]


def test_somebody_of_another_size_is_not_who_was_lost():
    tracker = Tracker(CONFIG)
    follow(tracker, 0, LEFT, detections=[LEFT])
    follow(tracker, 1, None)
    child = replace(LEFT, width=40, height=90)
    tracker.associate([child], 2 * FRAME_NS)
    assert tracker.tracks[0].box.height > 150


@pytest.mark.parametrize(('max_people', 'things'), [(1, 1), (10, 4)])
def test_things_that_the_detector_takes_for_people_keep_nobody_out(max_people, things):
    tracker = Tracker(replace(CONFIG, max_people=max_people))
    posters = [Box(60 + 90 * i, 100, 40, 90, 0.9) for i in range(things)]
    person = Box(450, 340, 80, 180, 0.7)
    for frame in range(5):
        tracker.advance(frame * FRAME_NS)
        flickering = () if frame % 2 else (*posters, person)
        tracker.associate(flickering, frame * FRAME_NS)
        shown = [track.box.y_center == person.y_center for track in tracker.tracks]
        tracker.observe([pose_at(person, 0.9 if there else 0.2) for there in shown], 0)
    assert [track.hits > 0 for track in tracker.tracks] == [True]


@pytest.mark.parametrize('apart_ns', [1, 1_000_000])
def test_images_that_come_in_bursts_tell_no_speed(apart_ns):
    tracker = Tracker(CONFIG)
    tracker.associate([LEFT], 0)
    for frame in range(20):
        for late_ns in (0, apart_ns):
            off = 3 * np.sin(5 * frame + late_ns)  # pixels: estimates are not exact
            stamp_ns = frame * 2 * FRAME_NS + late_ns
            tracker.advance(stamp_ns)
            tracker.observe([pose_at(replace(LEFT, x_center=150 + off))], stamp_ns)
            assert abs(tracker.tracks[0].velocity).max() < 200


RED, BLUE = (200, 30, 30), (30, 60, 180)


def shown(*people):
    """Return a picture of people, (box, colour) each."""
    image = np.full((480, 640, 3), 128, np.uint8)
    for box, colour in people:
        left, top, right, bottom = pose_box(box).corners.astype(int)
        image[top : bottom + 2, left : right + 2] = colour
    return image


def meet_and_turn_back(tracker, colours, image_of=shown):
    """Let two people walk up to each other and, after a moment in which neither is seen, back."""
    for frame in range(24):
        step = 150 - 15 * min(frame, 22 - frame)
        people = [replace(LEFT, x_center=320 + side * step) for side in (-1, 1)]
        hidden = abs(frame - 11) < 3
        tracker.advance(frame * FRAME_NS)
        if frame == 0:
            tracker.associate(people, 0)
        poses = [pose_at(person, 0.0 if hidden else 0.9) for person in people]
        image = image_of(*zip(people, colours, strict=True))
        tracker.observe(poses, frame * FRAME_NS, image)
    return [track.box.x_center < 320 for track in tracker.tracks]


def test_people_who_meet_are_told_apart_by_what_they_wear():
    assert meet_and_turn_back(Tracker(CONFIG), (RED, BLUE)) == [True, False]


@pytest.mark.parametrize('image_of', [shown, lambda *people: None], ids=['image', 'none'])
def test_people_who_wear_the_same_are_told_apart_by_their_places_alone(image_of):
    straight_on = meet_and_turn_back(Tracker(CONFIG), (RED, RED), image_of)
    assert straight_on == [False, True]


def test_a_person_alone_stays_the_same_when_the_light_changes():
    tracker = Tracker(CONFIG)
    tracker.associate([LEFT], 0)
    for frame, colour in enumerate([RED] * 10 + [BLUE] * 10):
        tracker.advance(frame * FRAME_NS)
        tracker.observe([pose_at(LEFT)], frame * FRAME_NS, shown((LEFT, colour)))
    assert [track.hits for track in tracker.tracks] == [20]


@pytest.mark.parametrize('max_people', [1, 2])
def test_somebody_else_where_a_person_was_hidden_is_new_at_once_if_there_is_room(max_people):
    tracker, states = Tracker(replace(CONFIG, max_people=max_people)), []
    tracker.associate([LEFT], 0)
    for frame, (score, colour) in enumerate(
        [(0.9, RED)] * 5 + [(0.0, RED)] * 2 + [(0.9, BLUE)] * 2
    ):
        tracker.advance(frame * FRAME_NS)
        poses = [pose_at(LEFT, score)] * len(tracker.tracks)
        tracker.observe(poses, frame * FRAME_NS, shown((LEFT, colour)))
        states = [(track.track_id, track.pose is not None) for track in tracker.tracks]
    assert states == [('b0001', False), ('b0002', True)][:max_people]
