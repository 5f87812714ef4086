from diffpose_ros.core.camera import Camera, look_at, rotate_rays
import numpy as np
import pytest
from scipy.spatial.transform import Rotation

POINTS = np.random.default_rng(0).uniform([-1, -1, 2], [1, 1, 6], size=(20, 3))
K = np.array([[500.0, 0, 319.5], [0, 510.0, 239.5], [0, 0, 1]])
LENSES = {
    'rectified': ('plumb_bob', []),
    'plumb_bob': ('plumb_bob', [-0.2, 0.05, 0.001, -0.002, 0.0]),
    'rational_polynomial': ('rational_polynomial', [0.1, -0.05, 0, 0, 0.01, 0.1, -0.02, 0.005]),
    'equidistant': ('equidistant', [-0.01, 0.002, 0.0, 0.0]),
}


@pytest.mark.parametrize(('model', 'distortion'), LENSES.values(), ids=LENSES)
def test_rays_undo_the_projection_of_every_lens(model, distortion):
    camera = Camera(K, 640, 480, np.array(distortion), model)
    rays = camera.rays(camera.project(POINTS))
    np.testing.assert_allclose(rays, POINTS[:, :2] / POINTS[:, 2:], atol=2e-4)


def test_rays_are_exact_up_to_the_border_of_a_wide_lens():
    wide = np.array([[504.0, 0, 640], [0, 504, 512], [0, 0, 1]])  # 120 degrees
    lens = np.array([5.0, 3.0, 1e-4, -1e-4, 0.15, 5.35, 4.7, 0.8])
    camera = Camera(wide, 1280, 1024, lens, 'rational_polynomial')
    border = np.array([[0.0, 512], [100, 512], [640, 0], [1279, 512]])
    rays = camera.rays(border)
    back = camera.project(np.concatenate([rays, np.ones((4, 1))], axis=1))
    np.testing.assert_allclose(back, border, atol=0.01)


def test_an_ideal_camera_projects_as_the_pinhole_equation_says():
    pixels = Camera(K, 640, 480).project(POINTS)
    homogeneous = POINTS @ K.T
    np.testing.assert_allclose(pixels, homogeneous[:, :2] / homogeneous[:, 2:])


def test_the_field_of_view_reaches_from_border_to_border():
    camera = Camera.from_fov(640, 480, 60.0)
    (left, _), (right, _) = camera.rays(np.array([[-0.5, 239.5], [639.5, 239.5]]))
    assert np.degrees(np.arctan(right) - np.arctan(left)) == pytest.approx(60.0)


@pytest.mark.parametrize('ray', [[0, 0, 1], [0.4, -0.3, 1.0], [-2.0, 1.0, 0.5]])
def test_the_virtual_camera_looks_along_the_ray_and_turns_no_more_than_needed(ray):
    ray = np.array(ray, float)
    R = look_at(ray)
    np.testing.assert_allclose(R @ ray, [0, 0, np.linalg.norm(ray)], atol=1e-12)
    angle = np.arccos(ray[2] / np.linalg.norm(ray))
    assert Rotation.from_matrix(R).magnitude() == pytest.approx(angle, abs=1e-9)


def test_rotated_rays_are_the_rays_of_rotated_points():
    R = Rotation.from_euler('xyz', [0.2, -0.3, 0.5]).as_matrix()
    turned = POINTS @ R.T
    expected = turned[:, :2] / turned[:, 2:]
    np.testing.assert_allclose(rotate_rays(POINTS[:, :2] / POINTS[:, 2:], R), expected)


def test_a_ray_that_ends_up_behind_the_camera_is_unknown():
    R = Rotation.from_euler('y', np.pi).as_matrix()
    assert np.isnan(rotate_rays(np.zeros((1, 2)), R)).all()


BAD_K = K * np.array([[0.0, 1, 1], [1, 1, 1], [1, 1, 1]])


@pytest.mark.parametrize(
    ('changes', 'remedy'),
    [
        ({'K': np.zeros((3, 3))}, 'calibrate the camera'),
        ({'K': BAD_K}, 'calibrate the camera'),
        ({'K': np.full((3, 3), np.nan)}, 'calibrate again'),
        ({'width': 0}, 'set both above 0'),
        ({'model': 'thin_prism'}, 'use one of'),
        ({'distortion': np.array([np.inf] * 5)}, 'must be finite'),
        ({'distortion': np.full(4, 1e9)}, 'none beyond 10000'),
        ({'distortion': np.zeros(3)}, r'shape \(3,\); give one of'),
        ({'K': np.diag([1e300, 500, 1])}, 'calibrate the camera'),
    ],
)
def test_unusable_intrinsics_are_refused_with_the_remedy(changes, remedy):
    good = {'K': K, 'width': 640, 'height': 480}
    with pytest.raises(ValueError, match=remedy):
        Camera(**{**good, **changes})
