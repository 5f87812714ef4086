import tarfile

from diffpose_ros.core.skeleton import POSETRACK_15
from diffpose_ros.data.rendered import Rendered
from diffpose_ros.train.synthetic.backgrounds import add_file, encoded
import numpy as np
import pytest

NOSE, L_ANKLE = POSETRACK_15.index('nose', 'l_ankle')


@pytest.fixture
def folder(tmp_path):
    """One picture of 100x80 pixels with two people, of whom the second leaves it at the right."""
    joints = np.full((1, 3, 15, 2), np.nan, np.float32)
    joints[0, 0] = np.linspace([10, 10], [30, 70], 15)
    joints[0, 1] = np.linspace([90, 10], [140, 70], 15)
    joints[0, 1, L_ANKLE] = np.nan  # behind the camera
    visible = np.zeros((1, 3, 15), bool)
    visible[0, 0] = True
    visible[0, 1] = joints[0, 1, :, 0] < 100
    with tarfile.open(tmp_path / 'pictures_00.tar', 'w') as tar:
        add_file(tar, 'pictures_00_00000_0.webp', encoded(np.full((80, 100, 3), 120, np.uint8)))
    np.savez(
        tmp_path / 'pictures_00.npz',
        filenames=np.array([['pictures_00_00000_0.webp']]), count=np.array([2]),
        joints_px=joints, visible=visible, joint_names=np.array(POSETRACK_15.joints),
    )  # fmt: skip
    return tmp_path


def test_a_rendered_picture_comes_with_everybody_in_it(folder):
    rendered = Rendered(folder)
    assert len(rendered) == 1
    image, people = rendered[0]
    assert image.shape == (80, 100, 3)
    first, second = people
    assert set(first.joints) == set(POSETRACK_15.joints) - {'nose'}  # as in the photographs
    assert not first.hidden
    np.testing.assert_allclose(first.joints['r_ankle'], [10, 10])
    assert 'l_ankle' not in second.joints


def test_a_body_ends_where_its_picture_ends(folder):
    _, (_, leaving) = Rendered(folder)[0]
    assert leaving.points[:, 0].max() == 99
    outside = {name for name, xy in leaving.joints.items() if xy[0] == 99}
    assert outside <= leaving.hidden


def test_a_folder_without_rendered_pictures_is_refused(tmp_path):
    with pytest.raises(ValueError, match='pictures_'):
        Rendered(tmp_path)
