"""Synthetic people: captured limbs keep their direction, cameras and truths fit the pictures."""

from dataclasses import replace
from pathlib import Path

from diffpose_ros.core.skeleton import H36M_17
from diffpose_ros.offline.calibration import read_camera
from diffpose_ros.train.synthetic import motion, stage
from diffpose_ros.train.synthetic.bodies import Body, h36m
from diffpose_ros.train.synthetic.film import write_calibration
from diffpose_ros.train.synthetic.looks import NOWHERE, Region
from diffpose_ros.train.synthetic.retarget import (
    axes,
    blend,
    limb_rotations,
    RestLimbs,
    smallest_rotation,
    twist,
    unit,
)
from diffpose_ros.train.synthetic.view import (
    look_from,
    sample_close_place,
    sample_light,
    View,
    window,
)
import numpy as np
import pytest
from scipy.spatial.transform import Rotation

DEMO = Path(__file__).parents[2] / 'demo'
LIMBS = [
    (part, f'{s}_{part}', f'{s}_{start}', f'{s}_{end}', s)
    for s in 'lr'
    for part, start, end in (
        ('thigh', 'hip', 'knee'),
        ('shank', 'knee', 'ankle'),
        ('arm', 'shoulder', 'elbow'),
        ('forearm', 'elbow', 'wrist'),
    )
]
VIEW = View(
    np.array([[500.0, 0, 310], [0, 480, 250], [0, 0, 1]]),
    look_from(np.array([2.0, 1.5, 3.0]), np.array([0.1, 0.9, -0.2]), 0.3),
    np.array([2.0, 1.5, 3.0]),
    640,
    480,
)


def standing() -> np.ndarray:
    """Return a person (17, 3) who stands upright and looks along z; left is x."""
    half = {
        'hip': (0.1, 0.95), 'knee': (0.12, 0.5), 'ankle': (0.12, 0.08), 'shoulder': (0.18, 1.42),
        'elbow': (0.3, 1.18), 'wrist': (0.36, 0.95),
    }  # fmt: skip
    middle = {'hip': (0.95, 0), 'spine': (1.2, 0), 'thorax': (1.45, 0), 'nose': (1.6, 0.08)}
    points = {name: (0, y, z) for name, (y, z) in (middle | {'head_top': (1.75, 0)}).items()}
    points |= {f'l_{name}': (x, y, 0) for name, (x, y) in half.items()}
    points |= {f'r_{name}': (-x, y, 0) for name, (x, y) in half.items()}
    return np.array([points[name] for name in H36M_17.joints], float)


def moving(frames: int = 9) -> np.ndarray:
    """Return joints (F, 17, 3) that wander away from standing."""
    rng = np.random.default_rng(0)
    wander = rng.normal(0, 0.12, (frames, 17, 3))
    return standing() + wander * np.linspace(0, 1, frames)[:, None, None]


def rest_limbs() -> RestLimbs:
    slanted = {'l': unit(np.array([0.6, -0.8, 0.0])), 'r': unit(np.array([-0.6, -0.8, 0.0]))}
    ahead = {'l': unit(np.array([0.5, -0.7, 0.5])), 'r': unit(np.array([-0.5, -0.7, 0.5]))}
    down = {'l': unit(np.array([0.1, -1, 0.0])), 'r': unit(np.array([-0.1, -1, 0.0]))}
    return RestLimbs(upper_arm=slanted, forearm=ahead, thigh=down, shank=down)


@pytest.fixture
def stick_body() -> Body:
    """Return a body of lines: the bones that matter, and two points under each foot."""
    at = dict(zip(H36M_17.joints, standing() * 1.1, strict=True))
    bones = {'root': ('', at['hip']), 'spine01': ('root', at['spine'])}
    bones |= {'neck01': ('spine01', at['thorax']), 'head': ('neck01', at['nose'] * [1, 1, 0])}
    for s in 'lr':
        chain = {'upperleg01': 'hip', 'lowerleg01': 'knee', 'foot': 'ankle'}
        arm = {'upperarm01': 'shoulder', 'lowerarm01': 'elbow', 'wrist': 'wrist'}
        for parent, part in (('root', chain), ('spine01', {'clavicle': 'thorax'} | arm)):
            for bone, joint in part.items():
                place = at[joint if joint == 'thorax' else f'{s}_{joint}']
                bones[f'{bone}.{s.upper()}'] = (parent, place)
                parent = f'{bone}.{s.upper()}'
    labels = tuple(bones)
    parents = [labels.index(parent) if parent else -1 for parent, _ in bones.values()]
    soles = [at[f'{s}_ankle'] * [1, 0, 1] + [0, 0, z] for s in 'lr' for z in (-0.06, 0.2)]
    feet = [labels.index(f'foot.{S}') for S in 'LLRR']
    marks = {
        f'{s}_{joint}': (labels.index(f'{bone}.{s.upper()}'), bones[f'{bone}.{s.upper()}'][1])
        for s in 'lr'
        for joint, bone in {
            'hip': 'upperleg01', 'knee': 'lowerleg01', 'ankle': 'foot', 'clavicle': 'clavicle',
            'shoulder': 'upperarm01', 'elbow': 'lowerarm01', 'wrist': 'wrist',
        }.items()
    }  # fmt: skip
    marks |= {n: (labels.index('head'), at[n]) for n in ('nose', 'head_top')}
    marks['neck_base'] = (labels.index('spine01'), at['thorax'])
    return Body(
        labels=labels,
        parents=np.array(parents),
        heads=np.array([place for _, place in bones.values()]),
        vertices=np.array(soles),
        normals=np.tile([0.0, -1, 0], (4, 1)),
        bones=np.array(feet)[:, None].repeat(4, 1),
        weights=np.tile([1.0, 0, 0, 0], (4, 1)),
        faces={'body': np.array([[0, 1, 2], [1, 2, 3]])},
        places=np.zeros((4, 4)),
        marks=marks,
    )


@pytest.mark.parametrize(('kind', 'part', 'start', 'end', 'side'), LIMBS)
def test_every_limb_points_where_the_capture_says(kind, part, start, end, side):
    joints, rest = moving(), rest_limbs()
    name = 'upper_arm' if kind == 'arm' else kind
    turned = limb_rotations(joints, rest)[part] @ getattr(rest, name)[side]
    a, b = H36M_17.index(start, end)
    np.testing.assert_allclose(turned, unit(joints[:, b] - joints[:, a]), atol=1e-9)


def test_all_parts_are_turned_by_proper_rotations():
    for rotation in limb_rotations(moving(), rest_limbs()).values():
        square = rotation @ rotation.swapaxes(1, 2)
        np.testing.assert_allclose(square, [np.eye(3)] * len(rotation), atol=1e-9)
        np.testing.assert_allclose(np.linalg.det(rotation), 1, atol=1e-9)


def test_the_smallest_rotation_agrees_with_scipy_and_copes_with_opposite_vectors():
    rng = np.random.default_rng(1)
    start, end = (unit(rng.normal(size=(20, 3))) for _ in range(2))
    angle = Rotation.from_matrix(smallest_rotation(start, end)).magnitude()
    np.testing.assert_allclose(angle, np.arccos((start * end).sum(1)), atol=1e-7)
    back = smallest_rotation(start, -start)
    np.testing.assert_allclose(np.einsum('fij,fj->fi', back, start), -start, atol=1e-9)


def test_a_bent_limb_turns_its_hinge_across_the_bend_and_a_straight_one_stays():
    down, hinge = np.array([[0.0, -1, 0]]), np.array([[1.0, 0, 0]])
    bend = np.array([[0.8, 0, 0.6]])
    turned = twist(np.eye(3)[None], down, hinge, bend)
    np.testing.assert_allclose((turned @ hinge[0])[0], bend[0], atol=1e-9)
    stays = twist(np.eye(3)[None], down, hinge, 0.1 * bend)
    np.testing.assert_allclose(stays[0], np.eye(3), atol=1e-9)


def test_blending_goes_the_shortest_way_between_rotations():
    a, b = (Rotation.random(8, np.random.default_rng(i)).as_matrix() for i in (2, 3))
    np.testing.assert_allclose(blend(a, b, 0.0), a, atol=1e-9)
    np.testing.assert_allclose(blend(a, b, 1.0), b, atol=1e-9)
    half = Rotation.from_matrix(a.swapaxes(1, 2) @ blend(a, b, 0.5)).magnitude()
    whole = Rotation.from_matrix(a.swapaxes(1, 2) @ b).magnitude()
    np.testing.assert_allclose(half, whole / 2, atol=1e-7)


def test_axes_of_an_upright_person_are_the_worlds():
    left, up = np.array([[2.0, 0.5, 0]]), np.array([[0.0, 3, 0]])
    np.testing.assert_allclose(axes(left, up)[0], np.eye(3), atol=1e-9)


def test_a_posed_body_keeps_its_own_bone_lengths(stick_body):
    joints = h36m(stick_body.joints(stick_body.pose(moving())))
    rest = h36m(stick_body.joints(np.eye(3, 4)[None].repeat(len(stick_body.labels), 0)))
    for _, _, start, end, _ in LIMBS:
        a, b = H36M_17.index(start, end)
        length = np.linalg.norm(joints[:, b] - joints[:, a], axis=-1)
        np.testing.assert_allclose(length, np.linalg.norm(rest[b] - rest[a]), atol=1e-9)


def test_a_person_ten_per_cent_taller_takes_steps_ten_per_cent_longer(stick_body):
    joints = standing()[None].repeat(2, 0)
    joints[1] += [0.5, 0, 0]
    hip = stick_body.joints(stick_body.pose(joints))['hip']
    np.testing.assert_allclose(hip[1] - hip[0], [0.55, 0, 0], atol=1e-9)


def test_a_standing_foot_does_not_slide_when_the_capture_lacks_the_way(stick_body):
    joints = standing()[None].repeat(12, 0)
    joints += np.linspace(0, 0.4, 12)[:, None, None] * [0, 0, 1]
    left = H36M_17.joints.index('l_ankle')
    joints[:, left] = standing()[left]  # the left foot stays, the right one is in the air
    hip, knee, ankle = H36M_17.index('r_hip', 'r_knee', 'r_ankle')
    joints[:, knee] = joints[:, hip] + [0, -0.3, 0.33]
    joints[:, ankle] = joints[:, knee] + [0, -0.1, -0.4]
    without_way = joints - joints[:, :1]
    poses = motion.walk(stick_body, stick_body.pose(without_way), smooth_frames=0.01)
    ankle = stick_body.joints(poses)['l_ankle']
    hip = stick_body.joints(poses)['hip']
    assert np.ptp(ankle[:, [0, 2]], axis=0).max() < 0.03
    assert hip[-1, 2] - hip[0, 2] > 0.3


def test_turning_joints_turns_their_heading():
    joints = moving()
    for yaw_rad in (0.4, -2.0):
        difference = motion.heading(motion.turn(joints, yaw_rad)) - motion.heading(joints)
        np.testing.assert_allclose(np.exp(1j * difference), np.exp(1j * yaw_rad), atol=1e-9)


def test_mirroring_twice_changes_nothing_and_swaps_the_sides_once():
    joints = moving()
    np.testing.assert_allclose(motion.mirror(motion.mirror(joints)), joints)
    left, right = H36M_17.index('l_wrist', 'r_wrist')
    np.testing.assert_allclose(motion.mirror(joints)[:, left], joints[:, right] * [-1, 1, 1])


def test_a_looped_motion_has_no_seam():
    time = np.arange(70)
    swing = np.sin(2 * np.pi * time / 25)[:, None, None] * np.ones((1, 17, 3)) * [0, 0, 0.3]
    looped = motion.looped(standing() + swing, 20, 200)
    steps = np.abs(np.diff(looped, axis=0)).max((1, 2))
    assert len(looped) == 200
    assert steps.max() < 1.3 * np.abs(np.diff(swing, axis=0)).max()


def test_the_camera_looks_at_its_target_with_up_upwards():
    position, target = np.array([1.0, 2, 3]), np.array([0.0, 1, -1])
    view = replace(VIEW, rotation=look_from(position, target), position=position)
    np.testing.assert_allclose(view.project(target), VIEW.K[:2, 2], atol=1e-9)
    above = view.project(target + np.array([0, 0.1, 0]))
    np.testing.assert_allclose(above[0], VIEW.K[0, 2], atol=1e-9)
    assert above[1] < VIEW.K[1, 2]


def test_roll_turns_the_picture_about_its_centre():
    position, target = np.array([0.0, 1, 3]), np.array([0.0, 1, 0])
    rolled = look_from(position, target, np.pi / 2)
    view = View(np.diag([100.0, 100, 1]), rolled, position, 640, 480)
    x, y = view.project(target + np.array([0, 0.3, 0]))
    assert x == pytest.approx(10)
    assert y == pytest.approx(0, abs=1e-9)


def test_clip_space_and_projection_name_the_same_pixel():
    points = np.random.default_rng(4).normal([0, 1, 0], 0.5, (30, 3))
    clip = np.column_stack([points, np.ones(30)]) @ VIEW.clip_matrix().T
    ndc = clip[:, :2] / clip[:, 3:]
    pixels = (ndc + 1) / 2 * [VIEW.width, VIEW.height] - 0.5
    np.testing.assert_allclose(pixels, VIEW.project(points), atol=1e-9)


def test_a_window_shows_the_same_points_where_its_rectangle_says():
    point = np.array([0.2, 1.1, 0.3])
    crop = window(VIEW, left=100.0, top=40.0, scale=2.5, width=180, height=240)
    expected = (VIEW.project(point) - [100, 40] + 0.5) / 2.5 - 0.5
    np.testing.assert_allclose(crop.project(point), expected)


def test_a_joint_is_seen_inside_the_picture_and_just_below_the_surface():
    depth_m = np.full((48, 64), 2.0)
    pixels = np.full((15, 2), 20.0)
    pixels[0] = [70, 20]
    pixels[2] = np.nan
    z_m = np.full(15, 2.03)
    z_m[1] = 2.6
    seen = stage.seen(pixels, z_m, depth_m)
    assert not seen[0]
    assert not seen[1]
    assert not seen[2]
    assert seen[3:].all()


def test_what_lies_behind_the_camera_has_no_pixel():
    behind = VIEW.position + 2 * VIEW.rotation[2] * np.array([[-1.0], [1.0]])
    pixels = stage.before_camera(behind, VIEW)
    assert np.isnan(pixels[0]).all()
    np.testing.assert_allclose(pixels[1], VIEW.K[:2, 2])


def test_regions_tell_sleeves_from_trunk_and_legs():
    sleeve, belly, knee = [0.2, -1, 0.9, -9], [0.0, -0.2, 0.5, -9], [0.0, 0.5, -0.5, -9]
    shirt = Region(arm=(0.0, 0.3), trunk=(0.0, 1.0))
    assert shirt.holds(np.array([sleeve, belly, knee])).tolist() == [True, True, False]
    assert not NOWHERE.holds(np.array([sleeve, belly, knee])).any()


def test_the_calibration_reads_back(tmp_path):
    write_calibration(tmp_path / 'camera.yaml', VIEW.K, 640, 480)
    camera = read_camera(tmp_path / 'camera.yaml', 640, 480)
    np.testing.assert_allclose(camera.K, VIEW.K)
    assert not camera.distortion.any()


def test_people_close_by_are_seen_beside_each_other_mostly_in_front():
    rng, target = np.random.default_rng(0), np.array([0.5, 1.0, -0.2])
    view = replace(VIEW, rotation=look_from(VIEW.position, target))
    places = np.array([sample_close_place(target, VIEW.position, rng) for _ in range(500)])
    assert (places[:, 1] == target[1]).all()
    seen = view.to_camera(places)
    side, nearer = np.abs(seen[:, 0]), seen[:, 2] < view.to_camera(target)[2]
    assert side.min() >= 0.15
    assert side.max() <= 0.55
    assert 0.4 < (seen[:, 0] > 0).mean() < 0.6
    assert nearer.mean() == pytest.approx(0.7, abs=0.06)
    away = np.linalg.norm(places - target, axis=1)
    assert away.min() > 0.35
    assert away.max() < 1.0


@pytest.mark.parametrize(('name', 'people'), [('walk', 1), ('crossing', 2)])
def test_the_truth_of_a_demo_clip_is_rigid_and_projects_to_its_pixels(name, people):
    truth = np.load(DEMO / f'{name}.npz')
    joints = truth['joints_cam_m'].reshape(-1, people, 17, 3)
    camera = read_camera(DEMO / f'{name}.yaml', 640, 480)
    pixels = truth['joints_px'].reshape(-1, people, 17, 2)
    np.testing.assert_allclose(camera.project(joints), pixels, atol=0.01)
    for start, end in (('l_hip', 'l_knee'), ('r_knee', 'r_ankle'), ('l_elbow', 'l_wrist')):
        a, b = H36M_17.index(start, end)
        assert np.linalg.norm(joints[..., a, :] - joints[..., b, :], axis=-1).std(0).max() < 1e-3


def test_a_rendered_persons_joints_lie_just_below_the_drawn_surface():
    pytest.importorskip('anny', reason='anny is not installed: pip install anny moderngl')
    pytest.importorskip('moderngl', reason='moderngl is not installed: pip install moderngl')
    from diffpose_ros.train.synthetic import body_maker, looks, render, scenery

    rng = np.random.default_rng(0)
    try:
        renderer = render.Renderer(scenery.smooth_noise(64, rng))
    except Exception as error:
        pytest.skip(f'no off-screen OpenGL here ({error}); install libegl1 libgl1-mesa-dri')
    body = body_maker.BodyMaker().make({'gender': 0.2, 'age': 0.7}, cell_m=0.01)
    look = looks.sample_look(rng, [np.full((64, 64, 3), 128, np.uint8)])
    pose = motion.on_floor(body, body.pose(standing()[None]))[0]
    person = renderer.dress(renderer.send_body(body), renderer.send_look(look))
    position = np.array([0.0, 1.0, 3.0])
    K = np.array([[200.0, 0, 79.5], [0, 200, 119.5], [0, 0, 1]])
    view = View(K, look_from(position, np.array([0, 0.9, 0])), position, 160, 240)
    scene = render.Scene([render.Figure(person, pose)], sample_light(rng))
    picture, depth_m = renderer.draw(scene, view)
    truth = stage.person_truth(body, pose, view, depth_m)
    assert truth.visible.sum() >= 14
    assert 0.03 < (depth_m < 10).mean() < 0.5
    assert picture[depth_m < 10].std() > 5
