"""Human3.6M and MPI-INF-3DHP: made-up files in the published layouts, and the real samples."""

import json
import os
import re

from diffpose_ros.core.skeleton import H36M_17
from diffpose_ros.data.formats.arrays import read_dictionary
from diffpose_ros.data.formats.captures import read_cameras
from diffpose_ros.data.formats.h36m import CAMERAS, read_h36m
from diffpose_ros.data.formats.motion3d import KEPT, MPI_JOINTS, MPI_ORDER
from diffpose_ros.data.formats.mpi_inf_3dhp import read_3dhp
import numpy as np
import pytest
from scipy.spatial.transform import Rotation

J = len(H36M_17.joints)
LENS = {'f': [[1145.0], [1144.0]], 'c': [[512.0], [515.0]], 'w': 1000, 'h': 1002}


class Opened:
    """Something that a pickle could run on loading."""

    def __reduce__(self):
        return os.getcwd, ()


def cameras_around(folder, subjects):
    """Write four cameras per subject, 5 m away, looking at the middle of the room."""
    entries = {}
    for subject in subjects:
        for i, name in enumerate(CAMERAS):
            out = Rotation.from_euler('z', 90 * i, degrees=True).apply([0, -1, 0])
            axes = np.stack([np.cross([0, 0, -1], -out), [0, 0, -1], -out], axis=1)
            place = {'R': axes.tolist(), 'T': (5 * out + [0, 0, 1])[:, None].tolist()}
            entries[f'{subject}_{name}'] = {**LENS, **place}
    (folder / 'cameras.json').write_text(json.dumps(entries))
    return folder / 'cameras.json'


@pytest.fixture
def h36m(tmp_path):
    """Write two actions of one subject as VideoPose3D does; return paths and the 3D poses."""
    random = np.random.default_rng(0)
    cameras = cameras_around(tmp_path, ['S9'])
    placed = read_cameras(cameras)
    in_world = {
        action: (0.3 * random.normal(size=(6, 32, 3)) + [0, 0, 1]).astype('float32')
        for action in ('Directions 1', 'WalkTogether')
    }
    pixels = {
        action: [
            placed[f'S9_{name}'].camera.project(placed[f'S9_{name}'].into(poses[:, KEPT]))
            for name in CAMERAS
        ]
        for action, poses in in_world.items()
    }
    pixels['WalkTogether'] = [np.concatenate([uv, uv[-1:]]) for uv in pixels['WalkTogether']]
    np.savez_compressed(tmp_path / 'data_3d_h36m.npz', positions_3d={'S9': in_world})
    np.savez_compressed(
        tmp_path / 'data_2d_h36m_gt.npz',
        positions_2d={'S9': pixels},
        metadata={'layout_name': 'h36m', 'num_joints': 17},
    )
    return tmp_path / 'data_3d_h36m.npz', tmp_path / 'data_2d_h36m_gt.npz', cameras


@pytest.fixture
def mpi(tmp_path):
    (tmp_path / 'cameras.json').write_text(json.dumps({'TS1': LENS}))
    camera = read_cameras(tmp_path / 'cameras.json')['TS1'].camera
    joints = 0.3 * np.random.default_rng(0).normal(size=(5, J, 3)) + [0, 0, 4]
    sequence = {
        'data_2d': camera.project(joints),
        'data_3d': 1000 * joints,
        'valid': np.array([1, 1, 0, 1, 0]),
    }
    np.savez_compressed(tmp_path / 'data_test_3dhp.npz', data={'TS1': sequence})
    return tmp_path / 'data_test_3dhp.npz', tmp_path / 'cameras.json', joints


def test_every_action_is_seen_by_four_cameras(h36m):
    captures = list(read_h36m(*h36m, subjects=['S9']))
    assert [c.name for c in captures[:2]] == [
        'S9/Directions 1.54138969',
        'S9/Directions 1.55011271',
    ]
    assert [c.group for c in captures] == ['Directions'] * 4 + ['WalkTogether'] * 4
    assert {len(c.pixels) for c in captures} == {6}


def test_poses_in_a_cameras_frame_lie_on_its_pictures(h36m):
    for capture in read_h36m(*h36m, subjects=['S9']):
        assert (capture.joints[..., 2] > 1).all()
        np.testing.assert_allclose(
            capture.camera.project(capture.joints), capture.pixels, atol=1e-6
        )


def test_a_point_above_is_up_in_every_picture(tmp_path):
    for placed in read_cameras(cameras_around(tmp_path, ['S9'])).values():
        low, high = placed.camera.project(placed.into(np.array([[0, 0, 1.0], [0, 0, 2.0]])))
        assert high[1] < low[1] - 100


def h36m_2d(h36m, change):
    """Write the poses in the pictures of WalkTogether as a function changes them."""
    _, detections, _ = h36m
    pixels = read_dictionary(detections, 'positions_2d')
    pixels['S9']['WalkTogether'] = change(pixels['S9']['WalkTogether'])
    np.savez(detections, positions_2d=pixels)


@pytest.mark.parametrize(
    ('change', 'told'),
    [
        (
            lambda views: [uv[:3] for uv in views],
            r'WalkTogether\.54138969 has 3 poses in .*, 6 in',
        ),
        (lambda views: views[:3], 'has 3 views of S9/WalkTogether, not those of 4 cameras'),
        (lambda views: [np.nan * uv for uv in views], 'WalkTogether.* not finite'),
    ],
    ids=['fewer poses', 'fewer views', 'no numbers'],
)
def test_human36m_is_not_measured_on_a_part_of_it(h36m, change, told):
    h36m_2d(h36m, change)
    with pytest.raises(ValueError, match=told):
        list(read_h36m(*h36m, subjects=['S9']))


def test_missing_subject_is_named(h36m):
    with pytest.raises(ValueError, match="lacks 'S11'"):
        list(read_h36m(*h36m))


def test_3dhp_joints_come_in_metres_and_in_the_order_of_human36m(mpi):
    data, cameras, joints = mpi
    (capture,) = read_3dhp(data, cameras)
    wrist = H36M_17.joints.index('l_wrist')
    np.testing.assert_allclose(capture.joints[:, wrist], joints[:, 7])
    np.testing.assert_allclose(capture.joints[:, 0], joints[:, 14])
    np.testing.assert_allclose(capture.camera.project(capture.joints), capture.pixels)
    assert capture.counted.tolist() == [True, True, False, True, False]
    assert sorted(MPI_JOINTS) == sorted(H36M_17.joints)


def test_camera_that_is_not_in_the_file_is_named(mpi):
    data, cameras, _ = mpi
    cameras.write_text(json.dumps({'TS2': LENS}))
    with pytest.raises(ValueError, match='lacks TS1'):
        list(read_3dhp(data, cameras))


@pytest.mark.parametrize('column', ['data_2d', 'data_3d', 'valid'])
@pytest.mark.parametrize('length', [3, 7])
def test_a_sequence_whose_columns_have_other_lengths_is_named(mpi, column, length):
    data, cameras, _ = mpi
    sequence = read_dictionary(data, 'data')['TS1']
    sequence[column] = np.resize(sequence[column], (length, *sequence[column].shape[1:]))
    np.savez(data, data={'TS1': sequence})
    with pytest.raises(ValueError, match=r'TS1 has data_2d, data_3d and valid of .* frames'):
        list(read_3dhp(data, cameras))


def test_sequence_without_labels_is_named(mpi, tmp_path):
    _, cameras, _ = mpi
    np.savez(tmp_path / 'half.npz', data={'TS1': {'data_2d': np.zeros((3, J, 2))}})
    with pytest.raises(ValueError, match="TS1 lacks 'data_3d'"):
        list(read_3dhp(tmp_path / 'half.npz', cameras))


def test_poses_of_another_skeleton_are_refused(mpi, tmp_path):
    _, cameras, _ = mpi
    sequence = {'data_2d': np.zeros((3, 28, 2)), 'data_3d': np.zeros((3, 28, 3)), 'valid': [1] * 3}
    np.savez(tmp_path / 'train.npz', data={'TS1': sequence})
    with pytest.raises(ValueError, match=re.escape('(3, 28, 2); expected (frames, 17, 2)')):
        list(read_3dhp(tmp_path / 'train.npz', cameras))


def test_file_that_would_run_code_is_refused(tmp_path):
    np.savez(tmp_path / 'bad.npz', data={'TS1': Opened()})
    with pytest.raises(ValueError, match=r'posix\.getcwd'):
        read_dictionary(tmp_path / 'bad.npz', 'data')


def test_arrays_of_every_kind_come_back_as_they_were(tmp_path):
    mixed = np.empty(2, object)
    mixed[:] = [np.arange(3), 'text']
    arrays = {
        'by columns': np.asfortranarray(np.arange(6.0).reshape(2, 3)),
        'big endian': np.arange(3, dtype='>f4'),
        'empty': np.zeros((0, J, 3)),
        'flags': np.array([True, False]),
        'number': np.float32(2.5),
        'views': [np.arange(2), np.arange(2)],
    }
    np.savez_compressed(tmp_path / 'data.npz', data={**arrays, 'mixed': mixed})
    content = read_dictionary(tmp_path / 'data.npz', 'data')
    for name, array in arrays.items():
        np.testing.assert_array_equal(content[name], array, strict=name != 'views')
    np.testing.assert_array_equal(content['mixed'][0], np.arange(3))
    assert content['mixed'][1] == 'text'


def test_damage_inside_the_file_is_told(tmp_path):
    np.savez_compressed(tmp_path / 'data.npz', data={'TS1': np.arange(1000)})
    damaged = bytearray((tmp_path / 'data.npz').read_bytes())
    middle = len(damaged) // 2
    damaged[middle : middle + 40] = b'\xff' * 40
    (tmp_path / 'data.npz').write_bytes(damaged)
    with pytest.raises(ValueError, match='no dictionary of arrays'):
        read_dictionary(tmp_path / 'data.npz', 'data')


class Lying:
    """The type of numbers that claims they were the addresses of objects: NumPy follows them."""

    def __reduce__(self):
        return np.dtype, ('f8', False, True), (3, '<', None, None, None, -1, -1, 63)


class Numbers:
    def __reduce__(self):
        build, arguments, _ = np.zeros(1).__reduce__()
        return build, arguments, (1, (2,), Lying(), False, np.array([1.0, 2.0]).tobytes())


def test_a_type_that_lies_about_its_numbers_is_not_believed(tmp_path):
    np.savez(tmp_path / 'data.npz', data={'TS1': Numbers()})
    assert read_dictionary(tmp_path / 'data.npz', 'data')['TS1'].tolist() == [1, 2]


@pytest.mark.parametrize('content', [b'text', b''])
def test_other_files_are_refused(tmp_path, content):
    (tmp_path / 'data.npz').write_bytes(content)
    with pytest.raises(ValueError, match='no dictionary of arrays'):
        read_dictionary(tmp_path / 'data.npz', 'data')


@pytest.mark.parametrize('text', ['[1]', '{"TS1": {"f": [1, 1]}}', 'text'])
def test_files_without_cameras_are_refused(tmp_path, text):
    (tmp_path / 'cameras.json').write_text(text)
    with pytest.raises(ValueError, match='no file of cameras'):
        read_cameras(tmp_path / 'cameras.json')


def test_calibrations_of_human36m_project_its_poses_onto_its_labels(shared_data):
    samples = shared_data / 'samples' / 'h36m'
    cameras = read_cameras(samples / 'cameras.json')
    with np.load(samples / 'test_h36m_body3d.npz') as data:
        for name, joints, labels in zip(data['imgname'], data['S'], data['part'], strict=True):
            subject, file = name.split('/')[:2]
            view = cameras[f'{subject}_{file.split(".")[1]}'].camera
            np.testing.assert_allclose(view.project(joints[:, :3]), labels[:, :2], atol=0.3)


def test_joints_of_3dhp_are_named_rightly(shared_data):
    samples = shared_data / 'samples' / 'mpi_inf_3dhp'
    cameras = read_cameras(samples / 'cameras_test.json')
    with np.load(samples / 'test_3dhp_test.npz') as data:
        for name, joints, labels in zip(data['imgname'], data['S'], data['part'], strict=True):
            view = cameras[name[:3]].camera
            np.testing.assert_allclose(view.project(joints[:, :3]), labels[:, :2], atol=3)
            pose = dict(zip(H36M_17.joints, joints[MPI_ORDER, :3], strict=True))
            middle = (pose['l_hip'] + pose['r_hip']) / 2
            np.testing.assert_allclose(pose['hip'], middle, atol=0.03)
            for bone, shortest, longest in (
                (('l_hip', 'l_knee'), 0.3, 0.6),
                (('r_elbow', 'r_wrist'), 0.15, 0.35),
                (('thorax', 'nose'), 0.05, 0.25),
                (('hip', 'spine'), 0.1, 0.4),
            ):
                length = np.linalg.norm(pose[bone[0]] - pose[bone[1]])
                assert shortest < length < longest
