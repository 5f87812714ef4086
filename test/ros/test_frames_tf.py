"""The target frame and the frames of bodies, through the real tf2 where it is installed."""

import sys

from bystander import wait_for
from diffpose_ros.core.rigid import body_frame, move, Rigid
from diffpose_ros.msg import InferenceInfo
from diffpose_ros.ros.frames_tf import rigid, TargetFrame, transform
from geometry_msgs.msg import Transform
import numpy as np
import pytest
from rclpy.time import Time
from scipy.spatial.transform import Rotation
from standin_pipeline import J, person
from std_msgs.msg import Header

pytestmark = pytest.mark.ros
TURN = Rotation.from_euler('xyz', [0.3, -0.7, 1.9])
CAMERA_IN_MAP = Rigid(TURN.as_matrix(), np.array([1.0, 2.0, 3.0]))
BODY = person().pose3d
TARGET = {'target_frame': 'map'}


@pytest.fixture
def tf2():
    return pytest.importorskip('tf2_ros', reason='tf2_ros comes with ROS, not with pip')


def test_a_transform_survives_its_message():
    msg = transform(CAMERA_IN_MAP, Header(frame_id='map'), 'camera')
    back = rigid(msg.transform)
    assert (msg.header.frame_id, msg.child_frame_id) == ('map', 'camera')
    np.testing.assert_allclose(back.R, CAMERA_IN_MAP.R, atol=1e-12)
    np.testing.assert_allclose(back.t, CAMERA_IN_MAP.t)


def test_a_transform_without_rotation_is_refused():
    msg = Transform()
    msg.rotation.w = 0.0
    with pytest.raises(ValueError, match='quaternion'):
        rigid(msg)


def test_the_frame_of_the_camera_needs_no_transform(graph):
    g = graph()
    scene = TargetFrame(g.node, '').show('the result', Header(frame_id='camera'), 1.0)
    assert (scene.result, scene.header.frame_id) == ('the result', 'camera')


@pytest.mark.parametrize('settings', [TARGET, {'publish_tf': True}], ids=str)
def test_without_tf2_configuration_fails_and_can_be_repeated(graph, monkeypatch, settings):
    monkeypatch.setitem(sys.modules, 'tf2_ros', None)
    g = graph(settings=settings)
    g.node.trigger_configure()
    assert g.state == 'unconfigured'


def moved(stamp_s=1, motion=CAMERA_IN_MAP):
    """Return where the camera is in the map."""
    header = Header(frame_id='map', stamp=Time(seconds=stamp_s).to_msg())
    return transform(motion, header, 'camera')


def known(graph, stamp_s=1):
    """Wait until the node knows where the camera is."""
    buffer = graph.node._outputs._target._buffer
    wait_for(lambda: buffer.can_transform('map', 'camera', Time(seconds=stamp_s)))


def calibrated(graph):
    graph.calibrate()
    return graph.listen('skeletons')


def test_3d_is_published_in_the_target_frame_with_covariances_turned(graph, tf2):
    g = graph(settings={**TARGET, 'publish_hypotheses': True}).bring_up()
    skeletons, markers = calibrated(g), g.listen('markers')
    points = g.listen('points')
    tf2.StaticTransformBroadcaster(g.bystander).sendTransform(moved())
    known(g)
    g.bystander.show(stamp_s=7)
    (msg,) = wait_for(lambda: skeletons)
    assert (msg.header.frame_id, msg.header.stamp.sec, msg.camera_frame_id) == ('map', 7, 'camera')
    assert msg.inference.degraded == 0
    (got,), truth = msg.skeletons, move(BODY, CAMERA_IN_MAP)
    close = {'rtol': 1e-5, 'atol': 1e-6}
    np.testing.assert_allclose(got.position, truth.xyz.ravel(), **close)
    np.testing.assert_allclose(got.covariance, truth.covariance.ravel(), **close)
    relative = truth.relative_covariance.ravel()
    np.testing.assert_allclose(got.relative_covariance, relative, **close)
    np.testing.assert_allclose(got.root_covariance, truth.root_covariance.ravel(), **close)
    np.testing.assert_allclose(got.hypotheses[0].xyz, truth.hypotheses[0].ravel(), **close)
    assert wait_for(lambda: points)[0].header.frame_id == 'map'
    drawn = wait_for(lambda: markers)[0].markers
    assert {marker.header.frame_id for marker in drawn} == {'map'}


def test_the_transform_is_that_of_the_stamp_of_the_image(graph, tf2):
    g = graph(settings=TARGET).bring_up()
    skeletons = calibrated(g)
    broadcaster = tf2.TransformBroadcaster(g.bystander)
    for stamp_s, x in ((1, 0.0), (3, 4.0)):
        broadcaster.sendTransform(moved(stamp_s, Rigid(np.eye(3), np.array([x, 0, 0]))))
    known(g, 3)
    g.bystander.show(stamp_s=2)
    (msg,) = wait_for(lambda: skeletons)
    positions = np.reshape(msg.skeletons[0].position, (J, 3))
    np.testing.assert_allclose(positions, BODY.xyz + np.array([2, 0, 0]), rtol=1e-5, atol=1e-5)


def test_a_transform_that_is_on_its_way_is_waited_for(graph, tf2):
    g = graph(settings={**TARGET, 'sync.timeout_ms': 5000.0}).bring_up()
    skeletons = calibrated(g)
    broadcaster = tf2.TransformBroadcaster(g.bystander)
    broadcaster.sendTransform(moved(1))
    known(g, 1)
    g.bystander.show(stamp_s=2)
    wait_for(lambda: g.pipeline.frames)
    broadcaster.sendTransform(moved(2))
    (msg,) = wait_for(lambda: skeletons)
    assert msg.header.frame_id == 'map'


def test_without_a_transform_3d_stays_in_the_camera_and_says_so_once(graph, tf2, capfd):
    g = graph(settings=TARGET).bring_up()
    skeletons = calibrated(g)
    for n in (1, 2, 3):
        g.bystander.show(stamp_s=n)
        wait_for(lambda n=n: len(skeletons) == n)
    for msg in skeletons:
        assert msg.header.frame_id == 'camera'
        assert msg.inference.degraded == InferenceInfo.DEGRADED_TF
    np.testing.assert_allclose(skeletons[0].skeletons[0].position, BODY.xyz.ravel(), rtol=1e-5)
    told = [line for line in capfd.readouterr().err.splitlines() if 'target_frame' in line]
    assert len(told) == 1


def test_every_body_has_a_frame(graph, tf2):
    g = graph(settings={'publish_tf': True}).bring_up()
    skeletons = calibrated(g)
    buffer = tf2.Buffer()
    tf2.TransformListener(buffer, g.bystander)
    wait_for(lambda: g.bystander.count_publishers('/tf'))
    stamps = iter(range(1, 1000))

    def found():
        g.bystander.show(stamp_s=next(stamps))
        wait_for(lambda: skeletons)
        return buffer.can_transform('camera', 'body_p1', Time())

    wait_for(found)
    got = rigid(buffer.lookup_transform('camera', 'body_p1', Time()).transform)
    body = body_frame(BODY)
    np.testing.assert_allclose(got.t, body.t, atol=1e-6)
    np.testing.assert_allclose(got.R, body.R, atol=1e-6)


def test_cleanup_takes_the_frames_down(graph, tf2):
    g = graph(settings={**TARGET, 'publish_tf': True}).bring_up()
    g.node.trigger_deactivate()
    g.node.trigger_cleanup()
    assert not [s for s in g.node.subscriptions if s.topic_name.startswith('/tf')]
    assert not [p for p in g.node.publishers if p.topic_name == '/tf']
    g.bring_up()


def test_time_may_start_anew_after_a_cleanup(graph, tf2):
    g = graph(settings={**TARGET, 'use_sim_time': True}).bring_up()
    g.node.trigger_deactivate()
    g.node.trigger_cleanup()
    clock = g.node.get_clock()
    for seconds in (100, 5):
        clock.set_ros_time_override(Time(seconds=seconds, clock_type=clock.clock_type))
    assert g.bring_up().state == 'active'


@pytest.mark.parametrize(('hri', 'prefix'), [(False, 'front/'), (True, '')])
def test_frames_of_two_cameras_do_not_meet_unless_rep_155_names_them(graph, tf2, hri, prefix):
    if hri:
        pytest.importorskip('hri_msgs.msg', reason='hri_msgs comes with ROS, not with pip')
    settings = {'publish_tf': True, 'hri.enable': hri}
    g = graph(settings=settings, cli_args=['--ros-args', '-r', '__ns:=/front'])
    g.node.trigger_configure()
    sent = []
    g.node._outputs._bodies._broadcaster.sendTransform = sent.extend
    g.node._outputs._bodies.publish([person('p1')], Header(frame_id='camera'))
    assert [frame.child_frame_id for frame in sent] == [f'{prefix}body_p1']
