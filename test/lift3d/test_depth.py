"""A known body at a known distance, seen by a depth camera that is not always right."""

from diffpose_ros.core.gaussian import squared_mahalanobis
from diffpose_ros.core.skeleton import H36M_17
from diffpose_ros.lift3d.calibration import SIZE_DEVIATION, with_size
from diffpose_ros.lift3d.depth import (
    behind_surface,
    NOISE,
    refine,
    surface_depths,
    SURFACE_DEVIATION_M,
    TORSO,
    window_radius,
)
from diffpose_ros.lift3d.placement import place
import numpy as np
import pytest
from scipy.spatial.transform import Rotation

WIDTH, HEIGHT, FOCAL = 640, 480, 500.0
CENTRE = np.array([WIDTH / 2, HEIGHT / 2])
JOINTS = len(H36M_17.joints)
SEEN = np.ones(JOINTS, bool)
RELATIVE_DEVIATION = 0.03  # of the lifter's joints, metres
WALL_M = 7.0
STANDING = {  # metres from the hip, camera axes: x right, y down, z away
    **dict(hip=(0, 0, 0), r_hip=(-0.13, 0, 0.02), l_hip=(0.13, 0, -0.02)),
    **dict(r_knee=(-0.14, 0.44, -0.05), l_knee=(0.14, 0.44, 0.02)),
    **dict(r_ankle=(-0.15, 0.87, 0.05), l_ankle=(0.15, 0.87, 0.1)),
    **dict(spine=(0, -0.24, -0.02), thorax=(0, -0.48, 0), nose=(0, -0.58, -0.1)),
    **dict(head_top=(0, -0.72, 0), l_shoulder=(0.17, -0.46, -0.02), r_shoulder=(-0.17, -0.46, 0)),
    **dict(l_elbow=(0.25, -0.2, 0), r_elbow=(-0.25, -0.2, 0.05)),
    **dict(l_wrist=(0.27, 0.03, -0.08), r_wrist=(-0.27, 0.03, -0.03)),
}
BODY = np.array([STANDING[name] for name in H36M_17.joints])
ROOT = np.array([0.3, 0.1, 4.0])


def pixels_of(points):
    return FOCAL * points[:, :2] / points[:, 2:] + CENTRE


def body(turned=0.0):
    """Return the standing body, turned about the vertical by an angle in degrees."""
    return Rotation.from_euler('y', turned, degrees=True).apply(BODY)


def picture(points, half_width=0.2, half_depth=0.11):
    """Return a depth image of a torso, cut by every pixel's ray, before a wall."""
    rows, columns = np.mgrid[:HEIGHT, :WIDTH]
    x, y = (columns - CENTRE[0]) / FOCAL, (rows - CENTRE[1]) / FOCAL
    hip, thorax, left, right = points[H36M_17.index('hip', 'thorax', 'l_hip', 'r_hip')]
    (cos, sin), (middle_x, middle_z) = (left - right)[[0, 2]] / 0.26, hip[[0, 2]]
    ray = np.stack([(x * cos + sin) / half_width, (sin * x - cos) / half_depth])
    middle = np.array(
        [
            (middle_x * cos + middle_z * sin) / half_width,
            (sin * middle_x - cos * middle_z) / half_depth,
        ]
    )
    a, b = (ray**2).sum(axis=0), np.tensordot(middle, ray, axes=1)
    root = b**2 - a * (middle @ middle - 1)
    z = (b - np.sqrt(np.maximum(root, 0))) / a
    torso = (root > 0) & (y * z > thorax[1] - 0.1) & (y * z < hip[1] + 0.15)
    return np.where(torso, z, WALL_M).astype(np.float32)


def guess(points, size, noise=0.0, rng=None):
    """Return the place and the relative pose that a lifter gives who misjudges the size."""
    relative = size * (points - points[0])
    if rng is not None:
        relative[1:] += rng.normal(0, noise, (JOINTS - 1, 3))
    covariance = np.tile(RELATIVE_DEVIATION**2 * np.eye(3), (JOINTS, 1, 1))
    rays = points[:, :2] / points[:, 2:]
    sharp = np.tile(1e-6 * np.eye(2), (JOINTS, 1, 1))
    return place(relative, covariance, rays, sharp, np.ones(JOINTS)), relative, covariance, rays


def look(depth, points, size=1.1, seen=SEEN, **lifter):
    """Return the place without and with the depth image."""
    placed, relative, covariance, rays = guess(points, size, **lifter)
    radius = window_radius(FOCAL, placed.root[2])
    surface = surface_depths(depth, pixels_of(points), seen, radius)
    return placed, refine(placed, relative, covariance, rays, surface)


@pytest.mark.parametrize('size', [0.85, 1.1, 1.4])
@pytest.mark.parametrize('turned', [0, 50, 90, 180, 270])
@pytest.mark.parametrize('root', [(0, 0, 2.0), (-0.8, 0.2, 5.5)], ids=str)
def test_a_misjudged_size_no_longer_misplaces_the_person(root, turned, size):
    points = body(turned) + root
    alone, helped = look(picture(points), points, size)
    assert np.linalg.norm(alone.root - root) > 0.05 * root[2]
    assert np.linalg.norm(helped.root - root) < 0.08
    assert np.linalg.norm(helped.root - root) < 0.5 * np.linalg.norm(alone.root - root)


@pytest.mark.parametrize('size', [0.9, 1.1])
def test_the_size_of_the_body_is_corrected_too(size):
    points = BODY + ROOT
    _, helped = look(picture(points), points, size)
    assert abs(helped.body.mean * size - 1) < 0.3 * abs(size - 1)


def test_noise_and_holes_cost_little():
    points, rng = BODY + ROOT, np.random.default_rng(0)
    depth = picture(points)
    depth += rng.normal(0, 0.02, depth.shape) * depth
    depth[rng.random(depth.shape) < 0.4] = 0
    depth[rng.random(depth.shape) < 0.2] = np.nan
    depth[rng.random(depth.shape) < 0.2] = np.inf
    alone, helped = look(depth, points)
    assert np.linalg.norm(alone.root - ROOT) > 0.3
    assert np.linalg.norm(helped.root - ROOT) < 0.06


@pytest.mark.parametrize('occluder_m', [1.0, 2.0, 3.0])
def test_an_occluder_in_front_of_some_joints_is_left_out(occluder_m):
    points = BODY + ROOT
    depth = picture(points)
    hips = int(pixels_of(points)[0, 1]) - 15
    depth[hips:] = occluder_m  # a table hides hips and legs
    _, helped = look(depth, points)
    assert np.linalg.norm(helped.root - ROOT) < 0.1


def test_joints_beside_the_body_are_left_out():
    points = BODY + ROOT
    depth = picture(points)
    for joint in H36M_17.index('l_shoulder', 'l_hip'):
        x, y = np.rint(pixels_of(points)[joint]).astype(int)
        depth[y - 12 : y + 13, x - 12 : x + 13] = WALL_M
    _, helped = look(depth, points)
    assert np.linalg.norm(helped.root - ROOT) < 0.05


@pytest.mark.parametrize('everywhere', [0.0, np.nan, np.inf, 1.2, 20.0])
def test_where_the_depth_cannot_be_the_body_it_tells_nothing(everywhere):
    depth = np.full((HEIGHT, WIDTH), everywhere, np.float32)
    _, helped = look(depth, BODY + ROOT)
    assert helped is None


def test_one_joint_is_too_few():
    seen = np.zeros(JOINTS, bool)
    seen[H36M_17.index('spine')] = True
    points = BODY + ROOT
    assert look(picture(points), points, seen=seen)[1] is None


def test_a_person_who_could_not_be_placed_stays_so():
    placed, relative, covariance, rays = guess(BODY + ROOT, 1.0)
    nowhere = placed.unknown(placed.body)
    assert refine(nowhere, relative, covariance, rays, np.full(JOINTS, 4.0)) is None


def test_the_distance_becomes_more_certain():
    points = BODY + ROOT
    alone, helped = look(picture(points), points)
    assert helped.covariance[2, 2] < 0.1 * alone.covariance[2, 2]
    assert (np.linalg.eigvalsh(helped.covariance) > 0).all()


def test_the_covariance_claims_no_more_than_the_errors_allow():
    rng = np.random.default_rng(0)
    squares = []
    for _ in range(60):
        root = np.array([rng.uniform(-0.5, 0.5), rng.uniform(-0.1, 0.1), rng.uniform(2, 5)])
        points = body(rng.uniform(0, 360)) + root
        depth = picture(points, rng.normal(0.2, 0.02), rng.normal(0.11, 0.02))
        depth += rng.normal(0, 0.01, depth.shape) * depth
        size = rng.normal(1, SIZE_DEVIATION)
        _, helped = look(depth, points, size, noise=RELATIVE_DEVIATION, rng=rng)
        error = helped.root - root
        squares.append(error[2] ** 2 / helped.covariance[2, 2])
    assert 0.2 < np.mean(squares) < 1.2


def test_joints_scatter_as_their_covariances_claim():
    rng = np.random.default_rng(0)
    rays = (BODY + ROOT)[:, :2] / (BODY + ROOT)[:, 2:]
    sharp = np.tile(1e-6 * np.eye(2), (JOINTS, 1, 1))
    shape = np.tile(1e-4 * np.eye(3), (JOINTS, 1, 1))
    errors, claims = [], []
    for size in rng.normal(1, SIZE_DEVIATION, 500):
        truth = size * (BODY + ROOT)
        z = truth[TORSO, 2] + rng.normal(0, SURFACE_DEVIATION_M)  # of all, and of each
        z += rng.normal(0, np.hypot(NOISE * z, SURFACE_DEVIATION_M))
        surface = np.full(JOINTS, np.nan)
        surface[TORSO] = z - behind_surface(BODY, rays)
        seen = rays + rng.normal(0, 1e-3, rays.shape)
        pose = BODY + np.insert(rng.normal(0, 0.01, (JOINTS - 1, 3)), 0, 0, axis=0)
        placed = place(pose, shape, seen, sharp, np.ones(JOINTS))
        found = refine(placed, pose, shape, seen, surface)
        relative, deviation = found.body.mean * pose, found.body.deviation
        errors.append(relative + found.root - truth)
        claims.append(found.joint_covariance(relative, with_size(shape, relative, deviation)))
    errors, claims = np.array(errors), np.array(claims)
    squares = squared_mahalanobis(errors, claims)[:, 1:].mean(axis=0)
    assert squares.min() > 2  # 3 where errors are as large as claimed
    assert squares.max() < 3.3
    for j in H36M_17.index('r_ankle', 'l_ankle', 'head_top', 'r_wrist', 'l_wrist'):
        scatter = np.cov(errors[:, j].T)
        np.testing.assert_allclose(scatter[1, 2], claims[:, j, 1, 2].mean(), atol=5e-5)


def test_the_median_of_the_valid_pixels_around_a_joint_is_taken():
    depth = np.zeros((HEIGHT, WIDTH), np.float32)
    depth[9:12, 19:22] = [[0, np.nan, np.inf], [3.0, 3.2, 9.0], [-1, 0, 0]]
    pixels = np.full((JOINTS, 2), [20.4, 9.8])
    surface = surface_depths(depth, pixels, SEEN, 1)
    assert (surface[TORSO] == np.float32(3.2)).all()
    assert np.isnan(np.delete(surface, TORSO)).all()


def test_joints_outside_the_image_or_unknown_have_no_depth():
    depth = np.ones((HEIGHT, WIDTH), np.float32)
    pixels = np.full((JOINTS, 2), [-20.0, 30.0])
    pixels[0] = np.nan
    assert np.isnan(surface_depths(depth, pixels, SEEN, 3)).all()
