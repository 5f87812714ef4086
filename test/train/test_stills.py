from dataclasses import fields, replace

from diffpose_ros.core.skeleton import POSETRACK_15
from diffpose_ros.data.labelled import (
    People,
)
from diffpose_ros.train.augment import Strength
from diffpose_ros.train.stills import (
    draw_holes,
    joint_weights,
    Mixture,
    NOWHERE,
    WindowDataset,
    Wish,
)
import numpy as np

J = len(POSETRACK_15.joints)
SIZE = (48, 64)
FULL, PLAIN = Strength(), Strength(*[0.0] * len(fields(Strength)))


def crowd(count: int = 3) -> People:
    rng = np.random.default_rng(0)
    return People(
        [rng.integers(0, 256, (120, 100, 3), np.uint8) for _ in range(count)],
        rng.uniform(20, 90, (count, J, 2)).astype(np.float32),
        np.ones((count, J), bool),
        np.arange(count),
        [[]] * count,
    )


def dataset(people: People, strength: Strength = FULL) -> WindowDataset:
    return WindowDataset(Mixture((people,), (1.0,), (1.0,)), 2, 2, strength)


def test_the_same_wish_is_answered_with_the_same_sample():
    data = dataset(crowd())
    for wish in (Wish(5, SIZE, True), Wish(5, SIZE, False)):
        first, second = data[wish], data[wish]
        for name, value in first.items():
            np.testing.assert_array_equal(value, second[name])


def test_a_window_has_its_key_frame_and_a_single_picture_is_one_frame():
    data = dataset(crowd())
    window, single = data[Wish(1, SIZE, True)], data[Wish(1, SIZE, False)]
    assert window['frames'].shape == (5, 3, 64, 48)
    assert single['frames'].shape == (1, 3, 64, 48)
    assert window['present'][2]
    assert single['present'].tolist() == [True]
    assert (window['frames'][~window['present']] == 0).all()


def test_joints_without_label_weigh_nothing():
    people = crowd()
    people.labelled[:, 3] = False
    for seed in range(20):
        weight = dataset(people)[Wish(seed, SIZE, False)]['weight']
        partner = POSETRACK_15.mirror[3]
        assert weight[3] == 0 or weight[partner] == 0  # the mirror exchanges the two


def test_a_person_whom_the_border_cuts_has_joints_that_are_not_to_be_found():
    people, absent = crowd(), 0
    people.pictures[:] = [np.full((120, 100, 3), 200, np.uint8)] * 3
    data = dataset(people, replace(PLAIN, cut_share=1.0))
    for seed in range(40):
        sample = data[Wish(seed, SIZE, False)]
        xy, weight, dark = sample['xy'], sample['weight'], (sample['frames'][0] == 0).all(axis=0)
        nowhere = (xy == NOWHERE).all(axis=1)
        assert (weight[nowhere] > 0).all()
        absent += nowhere.sum()
        columns, rows = np.rint(xy[(weight > 0) & ~nowhere]).astype(int).T
        assert not dark[rows, columns].any()
    assert absent > 40


def test_a_camera_without_colours_has_none_in_any_frame_of_a_window():
    data = dataset(crowd(), replace(PLAIN, grey_share=1.0))
    assert (np.ptp(data[Wish(3, SIZE, True)]['frames'], axis=1) == 0).all()


def test_windows_are_drawn_from_the_films_and_single_frames_from_the_photographs():
    photographs, films = crowd(2), crowd(3)
    mixture = Mixture((photographs, films), (1.0, 0.0), (0.0, 1.0))
    rng = np.random.default_rng(0)
    assert {id(mixture.draw(rng, window=True)[0]) for _ in range(9)} == {id(films)}
    assert {id(mixture.draw(rng, window=False)[0]) for _ in range(9)} == {id(photographs)}


def test_a_mirrored_person_has_left_and_right_exchanged():
    people = crowd(1)
    xy = people.xy[0]
    upright = np.linspace(30, 80, J)
    xy[:, 1] = upright
    rights = [name.startswith('r_') for name in POSETRACK_15.joints]
    xy[:, 0] = np.where(rights, 40, 60)  # the person's right is on the picture's left
    plain = replace(PLAIN, flip_share=1.0)
    data = WindowDataset(Mixture((people,), (1.0,), (1.0,)), 2, 2, plain)
    seen = data[Wish(0, SIZE, False)]['xy']
    right_wrist, left_wrist = POSETRACK_15.index('r_wrist', 'l_wrist')
    assert seen[right_wrist, 0] < seen[left_wrist, 0]


def test_the_future_is_often_missing_and_the_key_frame_never():
    rng = np.random.default_rng(0)
    offsets = np.arange(-2, 3)
    draws = np.array([draw_holes(offsets, rng) for _ in range(500)])
    assert draws[:, 2].all()
    share = draws.mean(axis=0)
    assert 0.8 < share[0] < 0.9
    assert 0.35 < share[4] < 0.5
    assert (~draws[:, 3:].any(axis=1)).mean() > 0.45


def test_a_single_frame_reads_no_earlier_ones():
    people = replace(crowd(), earlier=None)  # as if it were slow to ask
    assert dataset(people)[Wish(3, SIZE, False)]['frames'].shape[0] == 1


def test_limb_ends_weigh_most():
    weights = dict(zip(POSETRACK_15.joints, joint_weights(POSETRACK_15), strict=True))
    assert weights['l_wrist'] == weights['r_ankle'] == 1.5
    assert weights['l_elbow'] == weights['r_knee'] == 1.2
    assert weights['nose'] == weights['l_hip'] == 1.0


def test_films_lead_to_their_key_frame_or_backwards_away_from_it_and_the_rest_are_holes():
    people = crowd(1)
    shades = [np.full((120, 100, 3), value, np.uint8) for value in (50, 150, 250)]
    people.pictures[0], people.earlier[0] = shades[2], shades[:2]
    plain = Strength(0, 0, 0, 0, 0, 0, 0, 0, 0, 0)
    data = WindowDataset(Mixture((people,), (1.0,), (1.0,)), 2, 2, plain)
    sides = set()
    for seed in range(40):
        sample = data[Wish(seed, SIZE, True)]
        before, after = (bool(sample['present'][part].any()) for part in (slice(2), slice(3, 5)))
        sides.add((before, after))
        middles = sample['frames'][sample['present'], :, SIZE[1] // 2, SIZE[0] // 2]
        levels = middles.mean(axis=1).tolist()
        assert levels == sorted(levels, reverse=after)
    assert sides == {(False, False), (True, False), (False, True)}
