"""Markers: what RViz is told, checked after a trip through the wire format."""

from dataclasses import replace

from builtin_interfaces.msg import Duration
from bystander import wait_for
from diffpose_ros.core.people import JointState, ScaleSource
from diffpose_ros.core.share import find_shared
from diffpose_ros.core.skeleton import H36M_17
from diffpose_ros.offline.draw import spheres
from diffpose_ros.ros import topics
from diffpose_ros.ros.marker_writer import Batch, MarkerWriter
from diffpose_ros.ros.markers import MarkerBoard
from diffpose_ros.ros.settings import MarkersConfig
import numpy as np
import pytest
from rclpy.parameter import Parameter
from rclpy.serialization import deserialize_message
from standin_pipeline import H, J, person
from std_msgs.msg import Header
from transforms3d.quaternions import quat2mat
from visualization_msgs.msg import Marker, MarkerArray
import yaml

HEADER = Header(frame_id='camera')
HEADER.stamp.sec, HEADER.stamp.nanosec = 42, 7


@pytest.fixture
def board():
    return MarkerBoard(H36M_17)


def draw(board, people, header=HEADER, **config) -> list[Marker]:
    raw = board.draw(people, header, MarkersConfig(**config))
    return list(deserialize_message(raw, MarkerArray).markers)


def of(markers, ns):
    return [marker for marker in markers if marker.ns == ns and marker.action == Marker.ADD]


def deleted(markers):
    return {(m.ns, m.id) for m in markers if m.action == Marker.DELETE}


def shown(markers):
    return {(m.ns, m.id) for m in markers if m.action == Marker.ADD}


def test_every_marker_has_stamp_frame_and_lifetime_of_the_image(board):
    markers = draw(board, [person()], lifetime_s=0.75)
    assert {m.header.frame_id for m in markers} == {'camera'}
    assert {(m.header.stamp.sec, m.header.stamp.nanosec) for m in markers} == {(42, 7)}
    assert {(m.lifetime.sec, m.lifetime.nanosec) for m in markers} == {(0, 750_000_000)}


def test_rviz_accepts_every_marker(board):
    for marker in draw(board, [person('p1'), person('p2', seed=1)], hypotheses=True):
        q, scale = marker.pose.orientation, marker.scale
        assert np.isclose(q.x**2 + q.y**2 + q.z**2 + q.w**2, 1)
        assert min(scale.x, scale.y, scale.z) > 0
        color = marker.color
        assert all(0 <= c <= 1 for c in (color.r, color.g, color.b, color.a))
        points = [(p.x, p.y, p.z) for p in marker.points]
        assert np.isfinite(points).all()
        assert len(marker.colors) in (0, len(points))


def test_known_joints_and_the_bones_between_them_are_drawn(board):
    someone = person()
    markers = draw(board, [someone])
    (joints,), (bones,) = of(markers, 'joints'), of(markers, 'bones')
    known = someone.pose3d.state != JointState.INVALID
    points = np.array([(p.x, p.y, p.z) for p in joints.points])
    np.testing.assert_allclose(points, someone.pose3d.xyz[known])
    ends = np.array([(p.x, p.y, p.z) for p in bones.points]).reshape(-1, 2, 3)
    expected = [
        someone.pose3d.xyz[list(edge)] for edge in H36M_17.edges if known[list(edge)].all()
    ]
    np.testing.assert_allclose(ends, expected)


def test_joints_that_were_not_measured_are_paler(board):
    someone = person()
    state = someone.pose3d.state.copy()
    state[0] = JointState.INFERRED
    someone = replace(someone, pose3d=replace(someone.pose3d, state=state))
    (joints,) = of(draw(board, [someone]), 'joints')
    assert joints.colors[0].a < joints.colors[1].a == 1


def test_an_ellipsoid_is_the_surface_of_two_sigma(board):
    someone = person()
    drawn = of(draw(board, [someone], sigma=2.0), 'sigma')
    known = np.flatnonzero(someone.pose3d.state != JointState.INVALID)
    assert [m.id for m in drawn] == known.tolist()
    for marker, joint in zip(drawn, known, strict=True):
        q, scale, center = marker.pose.orientation, marker.scale, marker.pose.position
        rotation = quat2mat([q.w, q.x, q.y, q.z])
        half = np.array([scale.x, scale.y, scale.z]) / 2
        rebuilt = rotation @ np.diag((half / 2.0) ** 2) @ rotation.T
        np.testing.assert_allclose(rebuilt, someone.pose3d.covariance[joint], atol=1e-8)
        np.testing.assert_allclose([center.x, center.y, center.z], someone.pose3d.xyz[joint])


def test_sigma_zero_draws_no_ellipsoids(board):
    assert of(draw(board, [person()], sigma=0.0), 'sigma') == []


def test_hypotheses_are_drawn_when_asked_for(board):
    assert of(draw(board, [person()]), 'hypotheses') == []
    (drawn,) = of(draw(board, [person()], hypotheses=True), 'hypotheses')
    known = person().pose3d.state != JointState.INVALID
    edges = sum(known[list(edge)].all() for edge in H36M_17.edges)
    assert len(drawn.points) == H * edges * 2


def test_the_id_stands_above_the_head(board):
    (label,) = of(draw(board, [person('p7')]), 'label')
    assert label.text == 'p7'
    assert label.pose.position.y < np.nanmin(person().pose3d.xyz[:, 1])


def test_in_a_frame_where_z_is_up_the_label_is_above_too(board):
    raw = board.draw([person('p7')], HEADER, MarkersConfig(), np.array([0.0, 0.0, 1.0]))
    (label,) = of(deserialize_message(raw, MarkerArray).markers, 'label')
    assert label.pose.position.z > np.nanmax(person().pose3d.xyz[:, 2])


def test_ids_stay_and_are_never_given_twice(board):
    first = shown(draw(board, [person('p1'), person('p2')]))
    again = shown(draw(board, [person('p2'), person('p1')]))
    assert first == again
    draw(board, [person('p1')])
    third = shown(draw(board, [person('p1'), person('p3')]))
    p1 = shown(draw(MarkerBoard(H36M_17), [person('p1')]))
    assert third & first == p1


def test_who_is_hidden_for_an_image_comes_back_with_the_same_ids_and_colour(board):
    first = draw(board, [person()])
    hidden = draw(board, [replace(person(), pose3d=None)])
    again = draw(board, [person()])
    assert deleted(hidden) == shown(first) == shown(again)
    assert [m.colors for m in first] == [m.colors for m in again]


def test_who_vanishes_is_deleted_exactly_and_once(board):
    both = shown(draw(board, [person('p1'), person('p2')]))
    rest = draw(board, [person('p1')])
    assert deleted(rest) == both - shown(rest)
    assert deleted(draw(board, [person('p1')])) == set()


def test_a_joint_that_vanishes_takes_its_ellipsoid_along(board):
    someone = person()
    draw(board, [someone])
    state = someone.pose3d.state.copy()
    state[5] = JointState.INVALID
    gone = replace(someone, pose3d=replace(someone.pose3d, state=state))
    assert deleted(draw(board, [gone])) == {('sigma', 5)}


def test_somebody_without_scale_is_not_shown_at_a_wrong_place(board):
    body = replace(person().pose3d, scale_source=ScaleSource.NONE)
    assert draw(board, [replace(person(), pose3d=body)]) == []


@pytest.mark.parametrize(
    'frame_id', ['c', 'ca', 'cam', 'came', 'a_frame', 'head_front_camera', '']
)
@pytest.mark.parametrize('others', [0, 1, 3])
@pytest.mark.parametrize(('count', 'points'), [(0, 0), (1, 0), (5, 0), (1, 1), (3, 7)])
def test_copied_markers_equal_those_made_one_by_one(frame_id, others, count, points):
    header, lifetime = Header(frame_id=frame_id), Duration(sec=3)
    header.stamp.sec, header.stamp.nanosec = 2**31 - 1, 999_999_999
    rng = np.random.default_rng(count)
    ids, colors = rng.integers(0, 2**31 - 1, count), np.float32(rng.uniform(size=(count, 4)))
    bodies, places = rng.normal(size=(count, 10)), rng.normal(size=(count, points, 3))
    shades = np.float32(rng.uniform(size=(count, points, 4)))
    batch = Batch('many', Marker.LINE_LIST, ids, bodies, colors, places, shades)
    rest = [Marker(header=header, ns='label', text='x' * n) for n in range(others)]
    raw = MarkerWriter().write(header, lifetime, [batch, batch], rest)
    got = deserialize_message(raw, MarkerArray).markers
    assert got[2 * count :] == rest
    for marker, i, body, color, place, shade in zip(
        got, [*ids] * 2, [*bodies] * 2, [*colors] * 2, [*places] * 2, [*shades] * 2, strict=False
    ):
        assert (marker.id, marker.type, marker.action, marker.ns) == (i, 5, 0, 'many')
        assert (marker.header, marker.lifetime) == (header, lifetime)
        p, q, s = marker.pose.position, marker.pose.orientation, marker.scale
        assert [p.x, p.y, p.z, q.x, q.y, q.z, q.w, s.x, s.y, s.z] == body.tolist()
        assert rgba(marker.color) == color.tolist()
        assert [[p.x, p.y, p.z] for p in marker.points] == place.tolist()
        assert [rgba(c) for c in marker.colors] == shade.tolist()


def rgba(color):
    return [color.r, color.g, color.b, color.a]


def test_flat_covariances_give_spheres_that_rviz_can_draw():
    flat = spheres(np.zeros((2, 3)), np.array([np.zeros((3, 3)), np.diag([1.0, 0, -1e-12])]), 2.0)
    assert np.isfinite(flat).all()
    assert (flat[:, 7:] > 0).all()


def test_the_shipped_view_of_rviz_knows_every_namespace_and_topic(board):
    view = yaml.safe_load(find_shared('config/diffpose.rviz').read_text())
    displays = {
        item['Class'].split('/')[1]: item for item in view['Visualization Manager']['Displays']
    }
    drawn = draw(board, [person()], hypotheses=True)
    assert set(displays['MarkerArray']['Namespaces']) == {marker.ns for marker in drawn}
    seen = {display['Topic']['Value'] for display in displays.values() if 'Topic' in display}
    assert seen == {topic.replace('~', 'diffpose') for topic in (topics.MARKERS, topics.OVERLAY)}
    assert not displays['TF']['Enabled']


@pytest.mark.ros
def test_markers_pass_the_graph_and_follow_the_parameters(graph):
    g = graph().bring_up()
    heard = g.listen('markers')
    g.bystander.show(stamp_s=5)
    wait_for(lambda: len(heard) == 1)
    assert len(of(heard[0].markers, 'sigma')) == J - 1
    assert heard[0].markers[0].header.stamp.sec == 5
    g.node.set_parameters([Parameter('markers.sigma', value=0.0)])
    g.pipeline.people = [person('p2')]
    g.bystander.show(stamp_s=6)
    wait_for(lambda: len(heard) == 2)
    assert deleted(heard[1].markers) == shown(heard[0].markers)
    assert not of(heard[1].markers, 'sigma')
