"""Figures of a clip, from results whose errors are known."""

from dataclasses import replace

from diffpose_ros.cli import main
from diffpose_ros.core.config import PipelineConfig
from diffpose_ros.core.people import (
    Box,
    FrameResult,
    InferenceInfo,
    Person,
    Pose2D,
    Pose3D,
    ScaleSource,
    TrackState,
)
from diffpose_ros.core.share import find_shared
from diffpose_ros.evaluate.clip import follow, lifting, measure
from diffpose_ros.evaluate.clip_labels import ClipLabels, read_labels
import numpy as np
import pytest

RNG = np.random.default_rng(0)
FRAMES, PEOPLE = 6, 2
BODY_PX = RNG.uniform(-100, 100, (17, 2))
BODY_M = RNG.uniform(-0.8, 0.8, (17, 3)) * (np.arange(17) > 0)[:, None]
PLACES_PX = np.array([[200.0, 300], [600, 300]])
PLACES_M = np.array([[-1.0, 0, 4], [1, 0, 4]])
LABELS = ClipLabels(
    np.tile(PLACES_PX[:, None] + BODY_PX, (FRAMES, 1, 1, 1)),
    np.tile(PLACES_M[:, None] + BODY_M, (FRAMES, 1, 1, 1)),
    np.eye(3),
    np.zeros(5),
    30.0,
)
INFO = InferenceInfo(1, 1, 1, 1, 14, 'test')
ERROR_M = 0.1


def person(track_id, i, shift_px=0.0, shift_m=0.0, sigma_m=ERROR_M):
    pose2d = Pose2D(
        LABELS.joints_px[0, i] + [shift_px, 0], np.tile(np.eye(2), (17, 1, 1)), np.ones(17)
    )
    xyz = LABELS.joints_m[0, i] + [0, 0, shift_m]
    root = 0.5 * sigma_m**2 * np.eye(3)
    pose3d = Pose3D(
        xyz,
        np.tile(2 * root, (17, 1, 1)),
        np.tile(root, (17, 1, 1)),
        root,
        xyz[None],
        np.ones(1),
        np.ones(17, np.uint8),
        ScaleSource.BODY_PRIOR,
    )
    box = Box.around(pose2d.xy)
    return Person(track_id, TrackState.CONFIRMED, 1.0, box, pose2d, pose3d)


def film(*frames):
    return [FrameResult(i, tuple(people), INFO) for i, people in enumerate(frames)]


def both(**errors):
    return [person('b1', 0, **errors), person('b2', 1, **errors)]


def test_a_perfect_result_has_no_error():
    figures = measure(film(*[both()] * FRAMES), LABELS)
    assert figures['pck'] == figures['pck_17'] == figures['detection_rate'] == 1
    assert figures['id_switches'] == 0
    for key in ('error_px', 'mpjpe_mm', 'p_mpjpe_mm', 'hip_error_mm'):
        assert figures[key] == pytest.approx(0, abs=1e-6)
    assert figures['coverage_50'] == 1


def test_a_person_who_is_too_far_away_has_an_absolute_error_only():
    figures = measure(film(*[both(shift_m=0.3)] * FRAMES), LABELS)
    assert figures['hip_error_mm'] == pytest.approx(300)
    assert figures['mpjpe_mm'] == pytest.approx(0, abs=1e-6)


def test_coverage_counts_errors_within_the_stated_ellipsoid():
    inside = measure(film(*[both(shift_m=0.2, sigma_m=0.1)] * FRAMES), LABELS)
    outside = measure(film(*[both(shift_m=0.3, sigma_m=0.1)] * FRAMES), LABELS)
    assert (inside['coverage_90'], outside['coverage_90']) == (1, 0)  # 4 and 9, limit 6.25


def test_coverage_of_the_absolute_positions_counts_the_hip():
    found = both(shift_m=0.01)
    for i, one in enumerate(found):
        covariance = one.pose3d.covariance.copy()
        covariance[0] = 1e-6 * np.eye(3)  # ten deviations
        found[i] = replace(one, pose3d=replace(one.pose3d, covariance=covariance))
    figures = measure(film(*[found] * FRAMES), LABELS)
    assert figures['coverage_90'] == pytest.approx(16 / 17)
    assert figures['coverage_90_root_relative'] == 1


def test_a_pose_of_no_numbers_leaves_the_distances_of_the_others_as_they_are():
    lost = person('b2', 1)
    lost = replace(lost, pose3d=replace(lost.pose3d, xyz=np.full((17, 3), np.nan)))
    figures = measure(film(*[[person('b1', 0, shift_m=0.3), lost]] * FRAMES), LABELS)
    assert figures['detection_rate'] == figures['pck'] == 1
    assert figures['hip_error_mm'] == pytest.approx(300)
    nobody = measure(film(*[[lost]] * FRAMES), LABELS)
    assert nobody['error_px'] == pytest.approx(0, abs=1e-6)
    assert 'mpjpe_mm' not in nobody


def test_a_joint_is_right_within_a_fifth_of_the_torso():
    shoulder, hip = BODY_PX[14], BODY_PX[4]
    radius = 0.2 * np.linalg.norm(shoulder - hip)
    near = measure(film(*[both(shift_px=0.99 * radius)] * FRAMES), LABELS)
    far = measure(film(*[both(shift_px=1.01 * radius)] * FRAMES), LABELS)
    assert (near['pck'], far['pck']) == (1, 0)
    assert (near['ece'], far['ece']) == (0, 1)  # every score is 1
    assert near['error_px'] == pytest.approx(0.99 * radius)


def test_people_are_matched_by_place_not_by_order():
    swapped = [[person('b2', 1), person('b1', 0)]] * FRAMES
    assert measure(film(*swapped), LABELS)['pck'] == 1


def test_a_person_with_a_joint_of_which_nothing_is_known_is_found_by_the_others():
    found = person('b1', 0)
    xy = found.pose2d.xy.copy()
    xy[16] = np.nan  # r_wrist
    found = replace(found, pose2d=replace(found.pose2d, xy=xy))
    figures = measure(film(*[[found, person('b2', 1)]] * FRAMES), LABELS)
    assert figures['detection_rate'] == 1
    assert figures['pck'] == pytest.approx(23 / 24)  # of 12 limb joints of two people
    assert figures['error_px'] == pytest.approx(0, abs=1e-6)


def test_a_skeleton_without_any_joint_is_nobody():
    found = person('b1', 0)
    nothing = replace(found.pose2d, xy=np.full((17, 2), np.nan))
    figures = measure(film(*[[replace(found, pose2d=nothing)]] * FRAMES), LABELS)
    assert figures['detection_rate'] == figures['pck'] == 0


def test_a_missing_person_lowers_detection_rate_and_pck():
    figures = measure(film(*[both()[:1]] * FRAMES), LABELS)
    assert figures['detection_rate'] == 0.5
    assert figures['pck'] == 0.5
    assert figures['mpjpe_mm'] == pytest.approx(0, abs=1e-6)


def test_ids_that_change_places_are_two_switches():
    changed = [replace(p, track_id=i) for p, i in zip(both(), ('b2', 'b1'), strict=True)]
    assert measure(film(*[both()] * 3, *[changed] * 3), LABELS)['id_switches'] == 2


def test_the_only_skeleton_where_two_overlap_is_of_whom_it_was_before():
    px = LABELS.joints_px.copy()
    px[1, 1] = px[1, 0] + [3, 0]  # hidden behind the other
    overlapping = replace(LABELS, joints_px=px)
    nearest_to_the_hidden = person('b1', 0, shift_px=2.9)
    results = film(both(), [nearest_to_the_hidden], *[both()] * (FRAMES - 2))
    assert measure(results, overlapping)['id_switches'] == 0


def test_nobody_found_is_a_result_too():
    figures = measure(film(*[[]] * FRAMES), LABELS)
    assert figures['detection_rate'] == figures['pck'] == 0


def test_labels_that_lack_something_are_refused(tmp_path):
    path = tmp_path / 'labels.npz'
    np.savez(path, joints_px=np.zeros((1, 17, 2)))
    with pytest.raises(ValueError, match=r"lacks \['K', 'dist', 'fps', 'joints_cam_m'\]"):
        read_labels(path)


@pytest.mark.parametrize(
    ('wrong', 'told'),
    [
        ({'joints_px': np.zeros((4, 16, 2))}, r'give numbers of shape \(F, \[P\], 17, 2\)'),
        ({'joints_px': np.array(['a', 'b'])}, r'give numbers of shape \(F, \[P\], 17, 2\)'),
        ({'joints_cam_m': np.zeros((3, 17, 3))}, r'shape \(F, \[P\], 17, 3\), here F = 4'),
        ({'joints_cam_m': np.zeros((4, 17, 2))}, r'shape \(F, \[P\], 17, 3\)'),
        (
            {'joints_cam_m': np.full((4, 17, 3), np.nan)},
            'people in joints_px, not in joints_cam_m',
        ),
        ({'joints_px': np.zeros((0, 17, 2)), 'joints_cam_m': np.zeros((0, 17, 3))}, 'no frame'),
        ({'fps': 0}, 'fps 0; give a number above 0'),
        ({'fps': [30, 30]}, r'fps of int64 .* give numbers of shape \(\)'),
        ({'fps': '30'}, 'fps of <U2'),
        ({'joint_names': 'hip'}, r'joint_names of .* give strings of shape \(J\)'),
    ],
)
def test_labels_that_do_not_fit_together_are_refused(tmp_path, wrong, told):
    path = tmp_path / 'labels.npz'
    joints = {'joints_px': np.zeros((4, 17, 2)), 'joints_cam_m': np.zeros((4, 17, 3))}
    np.savez(path, **{**joints, 'K': np.eye(3), 'dist': np.zeros(5), 'fps': 30, **wrong})
    with pytest.raises(ValueError, match=told):
        read_labels(path)


def test_people_who_are_not_labelled_in_a_frame_need_no_place_in_it(tmp_path):
    path, nobody = tmp_path / 'labels.npz', np.full((4, 1, 17, 3), np.nan)
    camera = {'K': np.eye(3), 'dist': np.zeros((1, 5)), 'fps': 29.97}  # as OpenCV gives it
    np.savez(path, joints_px=nobody[..., :2], joints_cam_m=nobody, **camera)
    labels = read_labels(path)
    assert (labels.fps, labels.distortion.shape) == (29.97, (5,))


def test_labels_of_a_longer_video_are_refused(tmp_path, capsys):
    labels = np.load(find_shared('demo/walk.npz'))
    longer = {name: np.concatenate([labels[name]] * 2) for name in ('joints_px', 'joints_cam_m')}
    np.savez(tmp_path / 'labels.npz', **{**labels, **longer})
    words = ['--labels', str(tmp_path / 'labels.npz'), '--out', str(tmp_path / 'out.json')]
    assert main(['evaluate', 'clip', '--video', str(find_shared('demo/walk.mp4')), *words]) == 2
    assert 'labels 328 frames' in capsys.readouterr().err
    assert not (tmp_path / 'out.json').exists()


def test_labels_of_one_person_read_as_one_of_many(tmp_path):
    path = tmp_path / 'labels.npz'
    np.savez(
        path,
        joints_px=np.zeros((4, 17, 2)),
        joints_cam_m=np.zeros((4, 17, 3)),
        K=np.eye(3),
        dist=np.zeros(5),
        fps=30,
    )
    assert read_labels(path).joints_px.shape == (4, 1, 17, 2)


@pytest.mark.parametrize('frames', [2, 2.5, -1.25])
def test_labels_whose_clock_is_ahead_are_those_of_the_moment_that_an_image_shows(tmp_path, frames):
    t = np.arange(8.0)[:, None, None, None]
    path = tmp_path / 'labels.npz'
    px, metres = LABELS.joints_px[:1] + t, LABELS.joints_m[:1] + 0.1 * t
    np.savez(path, joints_px=px, joints_cam_m=metres, K=np.eye(3), dist=np.zeros(5), fps=10.0)
    late = read_labels(path, frames / 10)
    labelled = np.isfinite(late.joints_px).all(axis=(1, 2, 3))
    ago = t[:, 0, 0, 0] - frames
    assert labelled.tolist() == ((ago >= 0) & (ago <= 7)).tolist()
    np.testing.assert_allclose(late.joints_px[labelled], (px - frames)[labelled])
    np.testing.assert_allclose(late.joints_m[labelled], (metres - 0.1 * frames)[labelled])
    assert np.isnan(late.joints_m[~labelled]).all()
    with pytest.raises(ValueError, match='labels -5 s ahead label no image'):
        read_labels(path, -5)


def test_the_lifter_alone_gets_the_labelled_joints_of_everybody():
    labels = read_labels(find_shared('demo/crossing.npz'))
    few = replace(labels, joints_px=labels.joints_px[:8], joints_m=labels.joints_m[:8])
    pipeline = lifting(PipelineConfig(device='cpu'), few)
    figures = measure(list(follow(pipeline, find_shared('demo/crossing.mp4'), few)), few)
    assert (figures['detection_rate'], figures['id_switches'], figures['pck']) == (1, 0, 1)
    assert figures['error_px'] == pytest.approx(0, abs=1e-9)
    assert 0 < figures['p_mpjpe_mm'] < 100


def test_the_lifter_alone_sees_nobody_where_nobody_is_labelled():
    labels = read_labels(find_shared('demo/crossing.npz'))
    px = labels.joints_px[:4].copy()
    px[2] = np.nan
    few = replace(labels, joints_px=px, joints_m=labels.joints_m[:4])
    pipeline = lifting(PipelineConfig(device='cpu'), few)
    results = list(follow(pipeline, find_shared('demo/crossing.mp4'), few))
    assert [sum(p.pose2d is not None for p in r.people) for r in results] == [2, 2, 0, 2]
