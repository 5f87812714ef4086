"""Labelled people of public data sets are cut out of their frames, and split."""

from dataclasses import replace
import json

import cv2
from diffpose_ros.core.people import Box
from diffpose_ros.core.skeleton import POSETRACK_15
from diffpose_ros.data.labelled import MAX_SIDE
from diffpose_ros.data.posetrack import (
    as_people,
    Cutout,
    Cutouts,
    neighbour,
    read_picture,
    read_targets,
    split,
    Target,
)
import numpy as np
import pytest


@pytest.fixture(scope='module')
def samples(shared_data):
    return shared_data / 'samples'


def ramp(height, width):
    """Return a picture whose first two channels say where a pixel is."""
    y, x = np.mgrid[:height, :width]
    return np.stack([x, y, 0 * x], axis=-1).astype(np.uint8)


@pytest.mark.parametrize(
    ('labels', 'root', 'count'),
    [
        ('posetrack18/annotations/val', 'posetrack18', 14),
        ('posetrack18/annotations/test_posetrack18_val.json', 'posetrack18', 14),
        ('coco/test_coco.json', 'coco', 12),
        ('jhmdb/test_jhmdb_sub1.json', 'jhmdb', 3),
    ],
)
def test_every_labelled_person_of_the_samples_is_found(samples, labels, root, count):
    targets = read_targets(samples / labels, samples / root)
    assert len(targets) == count
    people = as_people(targets)
    for i in range(len(people)):
        picture = people.pictures[i]
        assert max(picture.shape[:2]) <= MAX_SIDE
        if root != 'posetrack18':  # its people may be labelled beyond the picture's border
            inside = (people.xy[i] > -1) & (people.xy[i] < picture.shape[1::-1])
            assert inside[people.labelled[i]].all()


def test_the_cutout_shows_the_same_pixels_at_the_joints():
    picture = ramp(200, 240)
    part = Cutout.around(Box(100, 90, 40, 30))
    xy = np.array([[100.0, 90.0], [81.0, 76.0]])
    cut = part.cut(picture)
    for (x, y), (u, v) in zip(xy, part.to_cutout(xy).astype(int), strict=True):
        assert cut[v, u, :2].tolist() == [x, y]


def test_a_large_person_is_kept_smaller_and_the_joints_with_it():
    part = Cutout.around(Box(1000, 1000, 300, 400))
    picture = np.zeros((2000, 2000, 3), np.uint8)
    picture[824:826, 1204:1206] = 255  # becomes one pixel: the cut-out is half as large
    cut = part.cut(picture)
    assert cut.shape[:2] == (MAX_SIDE, MAX_SIDE)
    ((v, u),) = np.argwhere(cut[..., 0] == 255)
    assert part.to_cutout(np.array([1204.5, 824.5])).tolist() == [u, v]


def test_a_cutout_ends_at_the_pictures_border():
    part = Cutout.around(Box(5, 5, 20, 20))
    assert part.cut(ramp(200, 200)).shape[:2] == (25, 25)
    assert part.to_cutout(np.array([5.0, 5.0])).tolist() == [5, 5]
    with pytest.raises(ValueError, match='outside of a picture'):
        Cutout.around(Box(500, 5, 20, 20)).cut(ramp(200, 200))


def video(folder, count=5, suffix='.png'):
    """Write frames whose third channel is their number."""
    for i in range(count):
        frame = ramp(60, 60)
        frame[..., 2] = 40 * i
        cv2.imwrite(str(folder / f'{i:06}{suffix}'), frame[..., ::-1])
    xy = np.array([[20.0 + k, 30.0] for k in range(15)])
    box, all_joints = Box.around(xy), np.ones(15, bool)
    return lambda i, is_video: Target(folder / f'{i:06}{suffix}', is_video, box, xy, all_joints)


def test_neighbours_show_the_same_part_of_other_frames(tmp_path):
    cutouts = Cutouts([video(tmp_path)(1, True)])
    frames = cutouts.neighbours(0, [-2, -1, 0, 1, 2])
    assert frames[0] is None  # there is no frame before the first
    assert [frame[0, 0, 2] for frame in frames[1:]] == [0, 40, 80, 120]
    assert {frame.shape for frame in frames[1:]} == {cutouts[0].shape}
    np.testing.assert_array_equal(frames[2], cutouts[0])


def test_pictures_that_are_no_video_have_no_neighbours(tmp_path):
    cutouts = Cutouts([video(tmp_path)(1, False)])
    assert [frame is None for frame in cutouts.neighbours(0, [-1, 0, 1])] == [True, False, True]


def test_neighbours_of_real_video_are_found(samples):
    folder = samples / 'posetrack18' / 'videos' / '000001_mpiinew_test'
    box, xy = Box(100, 100, 60, 120), np.full((15, 2), 100.0)
    target = Target(folder / '000002.jpg', True, box, xy, np.ones(15, bool))
    frames = Cutouts([target]).neighbours(0, range(-3, 4))
    assert [frame is None for frame in frames] == [True, *[False] * 5, True]


@pytest.mark.parametrize(
    ('name', 'offset', 'expected'),
    [
        ('00000009.jpg', 1, '00000010.jpg'),
        ('000010.jpg', -1, '000009.jpg'),
        ('00009_crop.jpg', 1, '00010_crop.jpg'),
    ],
)
def test_frame_numbers_keep_their_width(tmp_path, name, offset, expected):
    assert neighbour(tmp_path / name, offset) == tmp_path / expected


def test_a_window_begins_after_the_newest_missing_frame(tmp_path):
    targets = [video(tmp_path)(i, True) for i in (0, 1, 4)]
    (tmp_path / '000002.png').unlink()
    past = as_people(targets, past=3).earlier
    assert [[frame[0, 0, 2] for frame in past[i]] for i in range(3)] == [[], [0], [120]]


def test_no_video_is_both_trained_on_and_validated_with(tmp_path):
    targets = []
    for name in 'abc':
        (tmp_path / name).mkdir()
        make = video(tmp_path / name)
        targets += [make(0, True), make(1, True)]
    training, validation = split(targets)
    assert {t.picture.parent.name for t in training} == {'a', 'c'}
    assert {t.picture.parent.name for t in validation} == {'b'}
    assert len(training) + len(validation) == len(targets)


def test_nobody_without_a_whole_torso_validates(tmp_path):
    make = video(tmp_path)
    (hip,) = POSETRACK_15.index('l_hip')
    hipless = np.arange(15) != hip
    targets = [replace(make(i, False), labelled=hipless) for i in range(4)]
    training, validation = split(targets)
    assert (len(training), len(validation)) == (3, 0)


def test_still_pictures_are_split_one_by_one(tmp_path):
    make = video(tmp_path)
    training, validation = split([make(i, False) for i in range(4)])
    assert (len(training), len(validation)) == (3, 1)


def test_a_missing_picture_and_an_empty_file_are_told_at_once(samples, tmp_path):
    labels = samples / 'jhmdb' / 'test_jhmdb_sub1.json'
    with pytest.raises(ValueError, match=r'00001\.png is missing'):
        read_targets(labels, tmp_path)
    empty = tmp_path / 'empty.json'
    empty.write_text(json.dumps({'images': [], 'annotations': []}))
    with pytest.raises(ValueError, match='labels nobody'):
        read_targets(empty, tmp_path)


def test_a_file_that_is_no_picture_is_told(tmp_path):
    (tmp_path / '000000.jpg').write_bytes(b'no picture')
    with pytest.raises(ValueError, match='is no picture'):
        read_picture(tmp_path / '000000.jpg')
