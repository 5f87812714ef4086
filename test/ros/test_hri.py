"""The bridge to ROS4HRI (REP 155), through the real hri_msgs and tf2 where they are installed."""

from dataclasses import replace
import sys

from bystander import wait_for
from diffpose_ros.core.people import TrackState
from diffpose_ros.core.skeleton import H36M_17
from diffpose_ros.ros.hri import HumansBridge
import numpy as np
import pytest
from rclpy.callback_groups import ReentrantCallbackGroup
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.waitable import NumberOfEntities, Waitable
from standin_pipeline import person
from std_msgs.msg import Header

pytestmark = pytest.mark.ros
ON = {'hri.enable': True}


@pytest.fixture
def msgs():
    """Return the messages of ROS4HRI, or skip."""
    pytest.importorskip('tf2_ros', reason='tf2_ros comes with ROS, not with pip')
    return pytest.importorskip('hri_msgs.msg', reason='hri_msgs comes with ROS, not with pip')


def listen(g, kind, topic):
    heard = []
    g.bystander.create_subscription(kind, topic, heard.append, 10)
    return heard


def show(g, stamp_s, people, tracked):
    """Show an image with these people; return who is said to be in view."""
    g.pipeline.people = people
    before = len(tracked)
    g.bystander.show(stamp_s=stamp_s)
    wait_for(lambda: len(tracked) > before)
    return tracked[-1].ids


def publishers(g, topic):
    return g.bystander.count_publishers(topic)


def test_without_hri_msgs_configuration_fails_and_says_what_to_install(graph, monkeypatch, capfd):
    monkeypatch.setitem(sys.modules, 'hri_msgs', None)
    monkeypatch.setitem(sys.modules, 'hri_msgs.msg', None)
    g = graph(settings=ON)
    g.node.trigger_configure()
    assert g.state == 'unconfigured'
    assert 'ros-$ROS_DISTRO-hri-msgs' in capfd.readouterr().err


def test_nothing_is_on_humans_unless_it_is_asked_for(graph):
    g = graph().bring_up()
    assert not [name for name, _ in g.node.get_topic_names_and_types() if 'humans' in name]


def test_who_is_in_view_is_tracked_with_stamp_and_frame_of_the_image(graph, msgs):
    g = graph(settings=ON).bring_up()
    tracked = listen(g, msgs.IdsList, '/humans/bodies/tracked')
    wait_for(lambda: publishers(g, '/humans/bodies/tracked'))
    hidden = replace(person('p2'), pose2d=None, track_state=TrackState.OCCLUDED)
    new = replace(person('p3'), track_state=TrackState.TENTATIVE)
    assert show(g, 5, [person('p1'), hidden, new], tracked) == ['p1', 'p2']
    assert (tracked[-1].header.stamp.sec, tracked[-1].header.frame_id) == (5, 'camera')


def test_a_body_has_its_joints_in_shares_of_the_image_while_it_is_in_view(graph, msgs):
    g = graph(settings=ON).bring_up()
    topic = '/humans/bodies/p1/skeleton2d'
    bodies = listen(g, msgs.Skeleton2D, topic)
    tracked = listen(g, msgs.IdsList, '/humans/bodies/tracked')
    someone = person('p1')
    someone.pose2d.xy[:] *= 0.1  # the image is small
    show(g, 5, [someone], tracked)
    wait_for(lambda: publishers(g, topic))
    show(g, 6, [someone], tracked)
    wait_for(lambda: bodies)
    told, elbow = bodies[-1], H36M_17.joints.index('r_elbow')
    point = told.skeleton[msgs.Skeleton2D.RIGHT_ELBOW]
    expected = (someone.pose2d.xy[elbow] + 0.5) / (64, 48)
    np.testing.assert_allclose([point.x, point.y], expected, rtol=1e-5)
    assert point.c == pytest.approx(someone.pose2d.score[elbow], rel=1e-5)
    assert told.skeleton[msgs.Skeleton2D.LEFT_EAR].c == 0
    assert show(g, 7, [], tracked) == []
    wait_for(lambda: publishers(g, topic) == 0)


def test_every_body_has_its_frame(graph, msgs):
    from tf2_msgs.msg import TFMessage

    g = graph(settings=ON).bring_up()
    frames = listen(g, TFMessage, '/tf')
    tracked = listen(g, msgs.IdsList, '/humans/bodies/tracked')
    wait_for(lambda: publishers(g, '/tf'))
    show(g, 5, [person('p1')], tracked)
    wait_for(lambda: frames)
    assert frames[0].transforms[0].child_frame_id == 'body_p1'


def test_nobody_is_tracked_by_a_node_that_is_inactive(graph, msgs):
    g = graph(settings=ON).bring_up()
    tracked = listen(g, msgs.IdsList, '/humans/bodies/tracked')
    wait_for(lambda: publishers(g, '/humans/bodies/tracked'))
    show(g, 5, [person('p1')], tracked)
    g.node.trigger_deactivate()
    wait_for(lambda: tracked[-1].ids == [])
    assert tracked[-1].header.frame_id == 'camera'
    g.node.trigger_cleanup()
    wait_for(lambda: publishers(g, '/humans/bodies/tracked') == 0)


class Meanwhile(Waitable):
    """What another thread does while the executor is about to wait."""

    def __init__(self, act):
        super().__init__(ReentrantCallbackGroup())
        self._act = act

    def __enter__(self):
        pass

    def __exit__(self, *error):
        pass

    def get_num_entities(self):
        return NumberOfEntities()

    def is_ready(self, wait_set):
        return False

    def add_to_wait_set(self, wait_set):
        self._act()


def test_a_body_may_leave_while_the_executor_is_about_to_wait(context, msgs):
    node = Node('speaker', context=context)
    bridge = HumansBridge(node, H36M_17)
    node.add_waitable(Meanwhile(lambda: bridge.publish([], Header(), (64, 48))))
    bridge.publish([person('p1')], Header(), (64, 48))
    with SingleThreadedExecutor(context=context) as executor:
        executor.add_node(node)
        executor.spin_once(timeout_sec=0)
    assert not [p for p in node.publishers if 'p1' in p.topic_name]
    node.destroy_node()
