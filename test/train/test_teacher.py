from diffpose_ros.train.teacher import LANDMARKS, other_side, teach
import numpy as np
import pytest

NAMES = [*LANDMARKS, 'neck', 'head_top']
MIRROR = [NAMES.index(other_side(name)) for name in NAMES]
NOSE, NECK = NAMES.index('nose'), NAMES.index('neck')


@pytest.fixture
def person() -> np.ndarray:
    """Return joints (J, 2) of somebody 100 px tall, left and right 30 px apart."""
    side = np.array([{'l_': 15.0, 'r_': -15.0}.get(name[:2], 0.0) for name in NAMES])
    return np.stack([100 + side, np.linspace(0, 100, len(NAMES))], axis=1)


def labels_and_sight() -> tuple[np.ndarray, np.ndarray]:
    labelled, seen = np.ones(len(NAMES), bool), np.ones(len(NAMES), bool)
    labelled[NOSE] = False
    seen[[NECK, NAMES.index('head_top')]] = False
    return labelled, seen


def test_a_teacher_that_agrees_adds_what_nobody_labelled(person):
    labelled, seen = labels_and_sight()
    labelled[3] = False
    taught = person + np.array([2.0, 0])
    xy, known = teach(person, labelled, taught, seen, MIRROR)
    assert known.all()
    np.testing.assert_array_equal(xy[[NOSE, 3]], taught[[NOSE, 3]])
    np.testing.assert_array_equal(xy[labelled], person[labelled])  # people's labels stand


def test_limbs_that_one_of_the_two_mirrored_teach_nobody(person):
    labelled, seen = labels_and_sight()
    _, known = teach(person, labelled, person[MIRROR], seen, MIRROR)
    assert {name for name, told in zip(NAMES, known, strict=True) if told} == {'neck', 'head_top'}


def test_a_teacher_who_looks_at_somebody_else_changes_nothing(person):
    labelled, seen = labels_and_sight()
    xy, known = teach(person, labelled, person + np.array([200.0, 0]), seen, MIRROR)
    np.testing.assert_array_equal(xy, person)
    np.testing.assert_array_equal(known, labelled)


def test_a_teacher_who_sees_too_little_changes_nothing(person):
    labelled, seen = labels_and_sight()
    seen[5:] = False
    _, known = teach(person, labelled, person, seen, MIRROR)
    np.testing.assert_array_equal(known, labelled)
