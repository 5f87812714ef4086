import gzip
import io
import tarfile

import cv2
from diffpose_ros.core.skeleton import POSETRACK_15
from diffpose_ros.data.labelled import (
    countable,
    held_out,
    read_all,
    read_duplicates,
    read_people,
    read_split,
)
import numpy as np
import pytest


def test_two_folds_and_their_duplicates_are_held_out():
    numbers = np.array([9, 10, 11, 12, 20, 30, 31])
    out = held_out(numbers, [(9, 12), (30, 31), (20, 10)])
    assert numbers[out].tolist() == [9, 10, 12, 20]


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


def test_a_joint_that_is_no_number_is_not_labelled(tmp_path):
    write_set(tmp_path, 's', [4])
    with np.load(tmp_path / 's.npz') as table:
        columns = dict(table)
    columns['joints_px'][0, 0] = np.nan
    np.savez(tmp_path / 's.npz', **columns)
    people = read_people(tmp_path / 's.tar', tmp_path / 's.npz')
    assert not people.labelled[0, 0]
    assert people.labelled.sum() == 13
    assert np.isfinite(people.xy).all()


@pytest.mark.parametrize(
    ('column', 'wrong', 'told'),
    [
        ('labelled', np.full((1, 14), 0.5), r'labelled of float64 .* give booleans of shape'),
        ('joints_px', np.ones((1, 14, 3)), r'give numbers of shape \(N, \[T\], J, 2\)'),
    ],
)
def test_columns_of_another_kind_are_refused(tmp_path, column, wrong, told):
    write_set(tmp_path, 's', [4])
    with np.load(tmp_path / 's.npz') as table:
        columns = dict(table)
    np.savez(tmp_path / 's.npz', **{**columns, column: wrong})
    with pytest.raises(ValueError, match=told):
        read_people(tmp_path / 's.tar', tmp_path / 's.npz')


def test_labels_of_another_skeleton_are_refused_by_the_joint(tmp_path):
    write_set(tmp_path, 's', [4])
    with np.load(tmp_path / 's.npz') as table:
        columns = dict(table)
    columns['joint_names'][0] = 'spine'
    np.savez(tmp_path / 's.npz', **columns)
    with pytest.raises(ValueError, match=r"has joints \['spine'\]; give those of"):
        read_people(tmp_path / 's.tar', tmp_path / 's.npz')


def test_other_files_beside_the_pictures_are_passed_over(tmp_path):
    write_set(tmp_path, 's', [4])
    with tarfile.open(tmp_path / 's.tar', 'a') as archive:
        for name, data in (('LICENCE', b'free'), ('._im00004.png', b'')):
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    assert len(read_people(tmp_path / 's.tar', tmp_path / 's.npz')) == 1


@pytest.mark.parametrize(
    'damage', [lambda tar: b'no tar', lambda tar: gzip.compress(tar)[:100]], ids=['other', 'cut']
)
def test_a_file_that_is_no_tar_is_told(tmp_path, damage):
    write_set(tmp_path, 's', [4])
    (tmp_path / 's.tar').write_bytes(damage((tmp_path / 's.tar').read_bytes()))
    with pytest.raises(ValueError, match=r's\.tar is no whole tar'):
        read_people(tmp_path / 's.tar', tmp_path / 's.npz')


def test_large_pictures_are_kept_smaller_with_their_labels(tmp_path):
    write_set(tmp_path, 's', [4], side=800)
    people = read_people(tmp_path / 's.tar', tmp_path / 's.npz')
    assert people.pictures[0].shape == (400, 400, 3)
    np.testing.assert_allclose(people.xy[0, 0], [-0.25, 0.25])


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


def test_people_count_only_with_both_ends_of_the_torso():
    labelled = np.ones((3, len(POSETRACK_15.joints)), bool)
    shoulder, hip = POSETRACK_15.index('r_shoulder', 'l_hip')
    labelled[1, shoulder] = labelled[2, hip] = False
    np.testing.assert_array_equal(countable(labelled, POSETRACK_15), [True, False, False])


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
