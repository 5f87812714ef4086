import io
import tarfile

import cv2
from diffpose_ros.core.skeleton import POSETRACK_15
from diffpose_ros.train.augment import Strength
from diffpose_ros.train.stills import (
    draw_holes,
    held_out,
    joint_weights,
    Mixture,
    People,
    read_all,
    read_duplicates,
    read_people,
    read_split,
    WindowDataset,
    Wish,
)
import numpy as np
import pytest

J = len(POSETRACK_15.joints)
SIZE = (48, 64)


def crowd(count: int = 3) -> People:
    rng = np.random.default_rng(0)
    return People(
        [rng.integers(0, 256, (120, 100, 3), np.uint8) for _ in range(count)],
        rng.uniform(20, 90, (count, J, 2)).astype(np.float32),
        np.ones((count, J), bool),
        np.arange(count),
        [[]] * count,
    )


def dataset(people: People) -> WindowDataset:
    return WindowDataset(Mixture((people,), (1.0,)), 2, 2, Strength())


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


def test_joints_outside_the_crop_and_joints_without_label_weigh_nothing():
    people = crowd()
    people.labelled[:, 3] = False
    for seed in range(20):
        sample = dataset(people)[Wish(seed, SIZE, False)]
        xy, weight = sample['xy'], sample['weight']
        outside = (xy < -0.5).any(axis=1) | (xy > np.array(SIZE) - 0.5).any(axis=1)
        assert (weight[outside] == 0).all()
        partner = POSETRACK_15.mirror[3]
        assert weight[3] == 0 or weight[partner] == 0  # the mirror exchanges the two


def test_a_mirrored_person_has_left_and_right_exchanged():
    people = crowd(1)
    xy = people.xy[0]
    upright = np.linspace(30, 80, J)
    xy[:, 1] = upright
    rights = [name.startswith('r_') for name in POSETRACK_15.joints]
    xy[:, 0] = np.where(rights, 40, 60)  # the person's right is on the picture's left
    plain = Strength(0, 0, 0, 1.0, 0, 0, 0, 0, 0, 0)
    data = WindowDataset(Mixture((people,), (1.0,)), 2, 2, plain)
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


def test_two_folds_and_their_duplicates_are_held_out():
    numbers = np.array([9, 10, 11, 12, 20, 30, 31])
    out = held_out(numbers, [(9, 12), (30, 31), (20, 10)])
    assert numbers[out].tolist() == [9, 10, 12, 20]


def test_limb_ends_weigh_most():
    weights = dict(zip(POSETRACK_15.joints, joint_weights(POSETRACK_15), strict=True))
    assert weights['l_wrist'] == weights['r_ankle'] == 1.5
    assert weights['l_elbow'] == weights['r_knee'] == 1.2
    assert weights['nose'] == weights['l_hip'] == 1.0


def write_set(folder, name: str, numbers: list[int], side: int = 60) -> None:
    joints = [joint for joint in POSETRACK_15.joints if joint != 'nose']
    names = [f'im{number:05d}.png' for number in numbers]
    with tarfile.open(folder / f'{name}.tar', 'w') as archive:
        for file in reversed(names):
            data = cv2.imencode('.png', np.full((side, side, 3), (30, 20, 10), np.uint8))[1]
            info = tarfile.TarInfo(file)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data.tobytes()))
    xy = np.arange(len(numbers) * 28).reshape(-1, 14, 2) % side
    np.savez(
        folder / f'{name}.npz',
        filenames=names,
        joints_px=xy.astype(np.float32),
        labelled=np.ones(xy.shape[:2], bool),
        joint_names=joints,
    )


def test_labels_are_put_in_order_by_name_and_the_nose_stays_unlabelled(tmp_path):
    write_set(tmp_path, 's', [4, 7])
    people = read_people(tmp_path / 's.tar', tmp_path / 's.npz')
    (nose,) = POSETRACK_15.index('nose')
    (top,) = POSETRACK_15.index('head_top')
    assert people.numbers.tolist() == [4, 7]
    assert not people.labelled[:, nose].any()
    assert people.labelled.sum() == 2 * 14
    np.testing.assert_array_equal(people.xy[0, top], [26, 27])
    assert people.pictures[0][0, 0].tolist() == [10, 20, 30]  # RGB


def test_large_pictures_are_kept_smaller_with_their_labels(tmp_path):
    write_set(tmp_path, 's', [4], side=800)
    people = read_people(tmp_path / 's.tar', tmp_path / 's.npz')
    assert people.pictures[0].shape == (400, 400, 3)
    np.testing.assert_allclose(people.xy[0, 0], [-0.25, 0.25])


def test_films_end_with_their_key_frame_and_what_was_not_filmed_is_a_hole():
    people = crowd(1)
    shades = [np.full((120, 100, 3), value, np.uint8) for value in (50, 150, 250)]
    people.pictures[0], people.earlier[0] = shades[2], shades[:2]
    plain = Strength(0, 0, 0, 0, 0, 0, 0, 0, 0, 0)
    data = WindowDataset(Mixture((people,), (1.0,)), 2, 2, plain)
    for seed in range(12):
        sample = data[Wish(seed, SIZE, True)]
        assert not sample['present'][3:].any()
        levels = sample['frames'][sample['present']].max(axis=(1, 2, 3)).tolist()
        assert sorted(levels) == levels


def test_shards_of_films_are_read_as_one_source(tmp_path):
    write_set(tmp_path, 'windows_00', [1, 2, 3, 4])
    with np.load(tmp_path / 'windows_00.npz') as table:
        names, xy = table['filenames'].reshape(2, 2), table['joints_px'].reshape(2, 2, 14, 2)
        joints = table['joint_names']
    np.savez(tmp_path / 'windows_00.npz', filenames=names, joints_px=xy, joint_names=joints)
    people = read_all(tmp_path, 'windows_*.npz')
    assert len(people) == 2
    assert people.numbers.tolist() == [2, 4]
    assert [len(frames) for frames in people.earlier] == [1, 1]
    np.testing.assert_array_equal(people.xy[1, 0], xy[1, 1, 0])
    with pytest.raises(ValueError, match='holds no'):
        read_all(tmp_path, 'other_*.npz')


def test_a_missing_picture_is_named(tmp_path):
    write_set(tmp_path, 'a', [4])
    write_set(tmp_path, 'b', [4, 5])
    with pytest.raises(ValueError, match='im00005'):
        read_people(tmp_path / 'a.tar', tmp_path / 'b.npz')


def test_the_split_keeps_the_test_fold_away_from_both_sides(tmp_path):
    write_set(tmp_path, 's', [9, 10, 11, 12, 28])
    (tmp_path / 'lsp_extended_duplicate_ids.txt').write_text('12 9\n')
    training, validation = read_split(tmp_path, 's')
    assert training.numbers.tolist() == [11]
    assert validation.numbers.tolist() == [10, 28]
    assert read_duplicates(tmp_path / 'lsp_extended_duplicate_ids.txt') == [(12, 9)]


def test_a_teacher_changes_whom_it_trains_but_validates_only_joints_nobody_labelled(tmp_path):
    write_set(tmp_path, 's', [10, 11])
    (tmp_path / 'lsp_extended_duplicate_ids.txt').write_text('')
    with np.load(tmp_path / 's.npz') as table:
        columns = dict(table)
    columns['joints_px'] = np.full((2, 15, 2), 7, np.float32)
    columns['labelled'] = np.ones((2, 15), bool)
    columns['joint_names'] = [*columns['joint_names'], 'nose']
    np.savez(tmp_path / 'taught.npz', **columns)
    training, validation = read_split(tmp_path, 's', tmp_path / 'taught.npz')
    plain = read_split(tmp_path, 's')[1]
    (nose,) = POSETRACK_15.index('nose')
    assert (training.xy == 7).all()
    assert (validation.xy[:, nose] == 7).all()
    assert validation.labelled.all()
    others = np.arange(15) != nose
    np.testing.assert_array_equal(validation.xy[:, others], plain.xy[:, others])


def test_no_person_of_the_real_set_is_on_two_sides(shared_data):
    with np.load(shared_data / 'images2d' / 'lsp_extended_train.npz') as table:
        numbers = np.array([int(name[2:7]) for name in table['filenames']])
    pairs = read_duplicates(shared_data / 'images2d' / 'lsp_extended_duplicate_ids.txt')
    trained = set(numbers[~held_out(numbers, pairs)].tolist())
    assert len(trained) > 6900
    assert all(n % 9 not in (0, 1) for n in trained)
    assert not any((a in trained) and (b % 9 in (0, 1)) for a, b in pairs)
