"""Virtual camera and placement around a lifter that knows the answer."""

from diffpose_ros.core.camera import Camera
from diffpose_ros.core.config import PipelineConfig
from diffpose_ros.core.people import Box, JointState, Pose2D, ScaleSource
from diffpose_ros.core.sighting import sight, turn
from diffpose_ros.core.stage3d import HEIGHT_DEVIATION, joint_states, Stage3D, View
from diffpose_ros.core.track import Track
from diffpose_ros.lift3d.calibration import SIZE_DEVIATION
from diffpose_ros.lift3d.depth import behind_surface, TORSO
from diffpose_ros.lift3d.lifter import LiftedPose
import numpy as np
import pytest
from scipy.spatial.transform import Rotation

BODY = np.random.default_rng(3).uniform(-0.6, 0.6, (17, 3))
BODY[0] = 0
K = np.array([[800.0, 0, 640], [0, 800, 360], [0, 0, 1]])
LENSES = {
    'rectified': Camera(K, 1280, 720),
    'distorted': Camera(K, 1280, 720, np.array([-0.2, 0.05, 0.001, 0.002, 0])),
    'fisheye': Camera(K, 1280, 720, np.array([0.02, -0.01, 0.0, 0.0]), 'equidistant'),
}


class Oracle:
    """A lifter that is told the pose in the camera's axes, and turns it as it is asked to."""

    past, future, period_s, height_m = 3, 3, 1 / 30, 1.75

    def __init__(self, root):
        self.root = root

    def lift(self, window, steps, hypotheses):
        self.rays, self.present = window.rays, window.present
        pinhole = BODY + self.root
        seen = pinhole[:, :2] / pinhole[:, 2:]
        middle = (seen.min(axis=0) + seen.max(axis=0)) / 2
        axis = np.append(middle, 1) / np.linalg.norm(np.append(middle, 1))
        turn_axis = np.cross(axis, [0, 0, 1])
        angle = np.arccos(axis[2])
        norm = np.linalg.norm(turn_axis)
        R = Rotation.from_rotvec(turn_axis / max(norm, 1e-12) * angle).as_matrix()
        body = BODY @ R.T
        poses = np.tile(body, (1, hypotheses, 1, 1))
        return LiftedPose(poses, body[None], np.tile(1e-4 * np.eye(3), (1, 17, 1, 1)))


def track_at(root, camera):
    pixels = camera.project(BODY + root)
    track = Track('b1', Box.around(pixels), 0, 0)
    track.pose = Pose2D(pixels, np.tile(np.eye(2), (17, 1, 1)), np.full(17, 0.9))
    track.sightings.append(sight(track.pose, camera, 0, 0.3))
    return track


def turned(pose, camera, R):
    """Return rays, covariances and scores of a pose as a camera turned by R sees them."""
    seen = sight(pose, camera, 0, 0.3)
    return turn(seen.rays, seen.covariance, seen.score, R)


def lift(root, camera, **options):
    oracle = Oracle(root)
    track = track_at(root, camera)
    view = View(camera, PipelineConfig(), **{'calibrated': True, **options})
    return Stage3D(oracle).lift([track], 0, view)[0], oracle


@pytest.mark.parametrize('camera', LENSES.values(), ids=LENSES)
@pytest.mark.parametrize('root', [(0, 0, 4), (-1.5, 0.6, 4), (0.8, -0.4, 2.5)], ids=str)
def test_a_perfect_lifter_gives_the_true_pose_in_the_camera_frame(camera, root):
    pose, _ = lift(np.array(root, float), camera)
    np.testing.assert_allclose(pose.xyz, BODY + root, atol=0.01)
    np.testing.assert_allclose(pose.hypotheses, np.tile(BODY + root, (5, 1, 1)), atol=0.01)


def test_the_virtual_camera_looks_at_the_person():
    _, oracle = lift(np.array([-1.5, 0.6, 4.0]), LENSES['rectified'])
    rays = oracle.rays[0, oracle.past]
    np.testing.assert_allclose((rays.min(axis=0) + rays.max(axis=0)) / 2, 0, atol=0.05)
    assert oracle.present[0].tolist() == [False] * 3 + [True] + [False] * 3


def test_a_past_moment_is_lifted_with_the_sightings_before_and_after_it():
    oracle, camera = Oracle(np.array([0.5, 0, 3.0])), LENSES['rectified']
    track = track_at(oracle.root, camera)
    for slot in (1, 2, 3):
        track.sightings.append(sight(track.pose, camera, slot * 33_333_333, 0.3))
    Stage3D(oracle).lift([track], 33_333_333, View(camera, PipelineConfig(), True))
    assert oracle.present[0].tolist() == [False] * 2 + [True] * 4 + [False]


WIDE = Camera(
    np.array([[300.0, 0, 640], [0, 300, 480], [0, 0, 1]]), 1280, 960, np.zeros(4), 'equidistant'
)


def seen_at(degrees, spread_px=100):
    """Return a track whose joints lie in a column so many degrees beside the axis of WIDE."""
    x, y = 640 + 300 * np.radians(degrees), 480 + np.linspace(-spread_px, spread_px, 17)
    pixels = np.stack([np.linspace(x - 30, x + 30, 17), y], axis=1)
    track = Track('b1', Box.around(pixels), 0, 0)
    track.pose = Pose2D(pixels, np.tile(np.eye(2), (17, 1, 1)), np.full(17, 0.9))
    track.sightings.append(sight(track.pose, WIDE, 0, 0.3))
    return track


def test_joints_beyond_the_reach_of_the_lens_are_not_seen_in_space():
    seen = seen_at(85).sightings[0]
    angle = np.linalg.norm(seen.pose.xy - [640, 480], axis=1) / 300
    assert (seen.score[angle > np.radians(90)] == 0).all()
    np.testing.assert_array_equal(seen.score[angle < np.radians(88)], 0.9)
    np.testing.assert_allclose(
        np.linalg.norm(seen.rays[seen.score > 0], axis=1), np.tan(angle[seen.score > 0]), rtol=1e-3
    )


def test_somebody_beyond_the_reach_of_the_lens_has_no_place():
    root = np.array([0, 0, 3.0])
    stage = Stage3D(Oracle(root))
    (pose,) = stage.lift([seen_at(110)], 0, View(WIDE, PipelineConfig(), True))
    assert (pose.state == JointState.INVALID).all()
    assert np.isnan(pose.xyz).all()


def test_the_distance_is_the_least_certain_direction_of_the_root():
    root = np.array([-1.5, 0.6, 4.0])
    pose, _ = lift(root, LENSES['rectified'])
    _, axes = np.linalg.eigh(pose.root_covariance)
    assert abs(axes[:, -1] @ root / np.linalg.norm(root)) > 0.97


def test_the_covariance_of_the_hip_is_that_of_the_root_and_none_against_itself():
    pose, _ = lift(np.array([0.5, 0, 3.0]), LENSES['rectified'])
    np.testing.assert_array_equal(pose.covariance[0], pose.root_covariance)
    np.testing.assert_array_equal(pose.relative_covariance[0], 0)
    assert (np.linalg.eigvalsh(pose.relative_covariance[1:]) > 0).all()


def test_who_is_larger_than_thought_is_farther_with_every_joint_along_its_own_ray():
    pose, _ = lift(np.array([0.5, 0, 1.8]), LENSES['rectified'])
    size = 1 + SIZE_DEVIATION * np.random.default_rng(0).normal(size=20_000)
    for claimed, joint in zip(pose.covariance, pose.xyz, strict=True):
        same_picture = np.cov((size[:, None] * joint).T)
        rest = claimed - same_picture  # of the place and of the pose
        np.testing.assert_allclose(rest, np.diag(np.diag(rest)), atol=3e-4)
        assert (np.diag(rest) < 0.03**2).all()


def test_without_calibration_the_pose_is_relative_to_the_hip_and_says_so():
    pose, _ = lift(np.array([0.5, 0, 3.0]), LENSES['rectified'], calibrated=False)
    assert pose.scale_source == ScaleSource.NONE
    np.testing.assert_allclose(pose.xyz, BODY, atol=1e-9)
    assert np.isnan(pose.root_covariance).all()
    np.testing.assert_array_equal(pose.covariance, pose.relative_covariance)


def depth_of(points, camera):
    """Return a depth image with a patch of skin before every torso joint, and a wall."""
    skin = points[TORSO, 2] - behind_surface(points - points[0], points[:, :2] / points[:, 2:])
    depth = np.full((camera.height, camera.width), 8.0, np.float32)
    for (x, y), z in zip(np.rint(camera.project(points[TORSO])).astype(int), skin, strict=True):
        depth[y - 10 : y + 11, x - 10 : x + 11] = z
    return depth


@pytest.mark.parametrize('camera', LENSES.values(), ids=LENSES)
def test_a_depth_image_corrects_place_and_size_and_says_so(camera):
    root = np.array([-0.3, 0.2, 4.0])
    alone, _ = lift(root, camera)
    farther = 1.06 * (BODY + root)  # looks the same
    pose, _ = lift(root, camera, depth=depth_of(farther, camera))
    assert pose.scale_source == ScaleSource.DEPTH
    np.testing.assert_allclose(pose.xyz, farther, atol=0.06)
    np.testing.assert_allclose(pose.hypotheses.mean(axis=0), pose.xyz, atol=1e-9)
    assert (np.linalg.eigvalsh(pose.covariance) > 0).all()
    assert np.trace(pose.root_covariance) < 0.2 * np.trace(alone.root_covariance)


def test_what_a_depth_image_told_of_the_size_holds_while_none_comes():
    root, camera = np.array([-0.3, 0.2, 4.0]), LENSES['rectified']
    farther = 1.06 * (BODY + root)  # looks the same
    stage, track = Stage3D(Oracle(root)), track_at(root, camera)
    with_depth, without = (
        stage.lift([track], 0, View(camera, PipelineConfig(), True, depth))[0]
        for depth in (depth_of(farther, camera), None)
    )
    np.testing.assert_allclose(without.xyz, with_depth.xyz, atol=0.06)
    assert without.scale_source == ScaleSource.DEPTH
    alone, _ = lift(root, camera)
    assert np.trace(without.root_covariance) < 0.3 * np.trace(alone.root_covariance)


@pytest.mark.parametrize('height_m', [1.2, 1.75, 2.0])
def test_a_known_height_fixes_size_and_distance(height_m):
    root, camera = np.array([0.5, 0.1, 3.0]), LENSES['distorted']
    oracle, track = Oracle(root), track_at(root, camera)
    config = PipelineConfig(person_height_m=height_m)
    (pose,) = Stage3D(oracle).lift([track], 0, View(camera, config, True))
    factor = height_m / oracle.height_m
    np.testing.assert_allclose(pose.xyz, factor * (BODY + root), atol=0.01)
    np.testing.assert_allclose(pose.hypotheses[0], pose.xyz)
    assert pose.scale_source == ScaleSource.HEIGHT
    usual, _ = lift(root, camera)
    known, guessed = (np.linalg.norm(p.root_covariance) for p in (pose, usual))
    assert known < 0.4 * factor**2 * guessed


def test_the_relative_covariance_is_that_of_the_size_that_is_known():
    root, camera, relative = np.array([0.5, 0.1, 3.0]), LENSES['rectified'], BODY[3] - BODY[0]
    view = View(camera, PipelineConfig(person_height_m=1.75), True)
    (pose,) = Stage3D(Oracle(root)).lift([track_at(root, camera)], 0, view)
    usual, _ = lift(root, camera)
    known, guessed = (p.relative_covariance[3] for p in (pose, usual))
    expected = (SIZE_DEVIATION**2 - HEIGHT_DEVIATION**2) * np.outer(relative, relative)
    np.testing.assert_allclose(guessed - known, expected, atol=1e-5)


def test_a_joint_that_the_lens_cannot_show_is_not_measured():
    xy = np.array([[2000.0, 360.0], [640.0, 360.0]])
    lens = Camera(K, 2600, 720, np.array([0.02, -0.01, 0.0, 0.0]), 'equidistant')
    pose = Pose2D(xy, np.tile(np.eye(2), (2, 1, 1)), np.full(2, 0.9))
    states = joint_states(sight(pose, lens, 0, 0.3), lens)
    assert states.tolist() == [JointState.INFERRED, JointState.MEASURED]


@pytest.mark.parametrize('nothing', [0.0, np.nan])
def test_a_depth_image_without_valid_pixels_changes_nothing(nothing):
    root, camera = np.array([0.5, 0, 3.0]), LENSES['distorted']
    alone, _ = lift(root, camera)
    pose, _ = lift(root, camera, depth=np.full((720, 1280), nothing, np.float32))
    assert pose.scale_source == ScaleSource.BODY_PRIOR
    np.testing.assert_array_equal(pose.xyz, alone.xyz)


def test_without_calibration_depth_is_not_used():
    root, camera = np.array([0.5, 0, 3.0]), LENSES['rectified']
    depth = depth_of(BODY + root, camera)
    pose, _ = lift(root, camera, calibrated=False, depth=depth)
    assert pose.scale_source == ScaleSource.NONE


@pytest.mark.parametrize('camera', LENSES.values(), ids=LENSES)
def test_ray_covariances_are_those_of_noisy_pixels(camera):
    rng = np.random.default_rng(0)
    pixel = camera.project(np.array([[0.7, 0.3, 3.0]]))
    covariance = np.array([[4.0, 1.0], [1.0, 2.0]])
    pose = Pose2D(pixel, covariance[None], np.ones(1))
    R = Rotation.from_euler('xy', [0.3, -0.2]).as_matrix()
    _, told, _ = turned(pose, camera, R)
    noisy = rng.multivariate_normal(pixel[0], covariance, 20_000)
    clear = Pose2D(noisy, np.zeros((20_000, 2, 2)), np.ones(20_000))
    cloud, _, _ = turned(clear, camera, R)
    np.testing.assert_allclose(told[0], np.cov(cloud.T), rtol=0.05, atol=2e-7)


def test_an_unknown_joint_stays_unknown():
    xy = np.full((17, 2), 300.0)
    xy[4] = np.nan
    pose = Pose2D(xy, np.tile(np.eye(2), (17, 1, 1)), np.full(17, 0.8))
    rays, _, score = turned(pose, LENSES['distorted'], np.eye(3))
    assert score[4] == 0
    assert np.isfinite(rays).all()
    assert (np.delete(score, 4) == 0.8).all()


def test_a_joint_too_unsure_to_count_as_measured_is_not_given_to_the_lifter():
    track = track_at(np.array([0.5, 0, 3.0]), LENSES['rectified'])
    track.pose.score[5] = 0.29
    seen = sight(track.pose, LENSES['rectified'], 0, 0.3)
    assert (seen.score > 0).tolist() == [j != 5 for j in range(17)]
    assert joint_states(seen, LENSES['rectified'])[5] == JointState.INFERRED


def test_joint_states_tell_measured_inferred_and_out_of_view():
    xy = np.array([[100.0, 100], [100, 100], [1400, 100], [np.nan, np.nan]])
    pose = Pose2D(xy, np.tile(np.eye(2), (4, 1, 1)), np.array([0.9, 0.1, 0.9, 0.0]))
    states = joint_states(sight(pose, LENSES['rectified'], 0, 0.3), LENSES['rectified'])
    measured, inferred = JointState.MEASURED, JointState.INFERRED
    assert states.tolist() == [measured, inferred, JointState.OUT_OF_VIEW, inferred]
