"""Calibration files as users have them."""

from diffpose_ros.offline.calibration import calibration_beside, read_camera
import numpy as np
import pytest

# as ROS camera_calibration saves it
ROS_YAML = """\
image_width: 640
image_height: 480
camera_name: head_camera
camera_matrix:
  rows: 3
  cols: 3
  data: [438.78, 0.0, 305.59, 0.0, 437.35, 243.74, 0.0, 0.0, 1.0]
distortion_model: plumb_bob
distortion_coefficients:
  rows: 1
  cols: 5
  data: [-0.361976, 0.110510, 0.001014, 0.000506, 0.0]
rectification_matrix:
  rows: 3
  cols: 3
  data: [1, 0, 0, 0, 1, 0, 0, 0, 1]
projection_matrix:
  rows: 3
  cols: 4
  data: [393.65, 0, 322.79, 0, 0, 393.65, 241.09, 0, 0, 0, 1, 0]
"""


def test_a_calibration_saved_by_ros_is_read_as_it_stands(tmp_path):
    path = tmp_path / 'camera.yaml'
    path.write_text(ROS_YAML)
    camera = read_camera(path, 640, 480)
    assert (camera.width, camera.height, camera.model) == (640, 480, 'plumb_bob')
    np.testing.assert_array_equal(camera.K[:2], [[438.78, 0, 305.59], [0, 437.35, 243.74]])
    np.testing.assert_array_equal(camera.distortion, [-0.361976, 0.110510, 0.001014, 0.000506, 0])


def test_k_and_dist_of_an_npz_are_a_calibration_too(tmp_path):
    K = np.array([[500.0, 0, 320], [0, 500, 240], [0, 0, 1]])
    np.savez(tmp_path / 'camera.npz', K=K, dist=[[0.1, 0.2, 0, 0]])
    camera = read_camera(tmp_path / 'camera.npz', 640, 480)
    np.testing.assert_array_equal(camera.K, K)
    np.testing.assert_array_equal(camera.distortion, [0.1, 0.2, 0, 0])


@pytest.mark.parametrize(
    ('text', 'complaint'),
    [
        ('', 'not a camera calibration'),
        ('[1, 2]', 'not a camera calibration'),
        ('a: {b', 'not a camera calibration'),
        (ROS_YAML.replace('camera_matrix', 'matrix'), 'camera_matrix'),
        (ROS_YAML.replace('438.78, ', ''), 'reshape'),
        (ROS_YAML.replace('438.78', '-1.0'), 'calibrate the camera'),
        (ROS_YAML.replace('plumb_bob', 'magic'), 'magic'),
        (ROS_YAML.replace('640', '1280'), '1280x480'),
    ],
)
def test_what_is_no_calibration_of_these_images_is_told_in_one_line(tmp_path, text, complaint):
    path = tmp_path / 'camera.yaml'
    path.write_text(text)
    with pytest.raises(ValueError, match=complaint) as told:
        read_camera(path, 640, 480)
    assert '\n' not in str(told.value)


def test_a_missing_calibration_is_told_by_its_path(tmp_path):
    with pytest.raises(FileNotFoundError, match=r'nowhere\.yaml'):
        read_camera(tmp_path / 'nowhere.yaml', 640, 480)


def test_the_calibration_beside_a_video_is_found(tmp_path):
    video = tmp_path / 'walk.mp4'
    np.savez(tmp_path / 'walk.npz', joints_px=np.zeros(3))  # truth, for example
    assert calibration_beside(video) is None
    (tmp_path / 'walk.yaml').write_text(ROS_YAML)
    assert calibration_beside(video) == tmp_path / 'walk.yaml'
