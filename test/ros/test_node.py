"""The node in a real graph: images in, people out."""

import time

from bystander import HEIGHT, wait_for, WIDTH
from diffpose_ros.core.skeleton import H36M_17
from diffpose_ros.msg import InferenceInfo, Skeleton
from diffpose_ros.offline.stage_times import STAGES
import numpy as np
import pytest
from rclpy.parameter import Parameter
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from standin_pipeline import J, person

pytestmark = pytest.mark.ros
ERROR = b'\x02'
LATCHED = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
BEST_EFFORT, RELIABLE = ReliabilityPolicy.BEST_EFFORT, ReliabilityPolicy.RELIABLE


def test_people_carry_the_stamp_and_frame_of_their_image(graph):
    g = graph().bring_up()
    skeletons = g.listen('skeletons')
    g.bystander.show(stamp_s=12.5, frame_id='head_camera_optical')
    (msg,) = wait_for(lambda: skeletons)
    assert (msg.header.stamp.sec, msg.header.stamp.nanosec) == (12, 500_000_000)
    assert msg.header.frame_id == msg.camera_frame_id == 'head_camera_optical'
    assert (msg.image_width, msg.image_height) == (WIDTH, HEIGHT)
    assert msg.skeleton_id == 'h36m_17'


def test_every_number_of_a_person_arrives(graph):
    g = graph(settings={'publish_hypotheses': True}).bring_up()
    skeletons = g.listen('skeletons')
    g.bystander.show()
    (got,), truth = wait_for(lambda: skeletons)[0].skeletons, person()
    body = truth.pose3d
    close = {'rtol': 1e-6}
    assert (got.track_id, got.track_state) == ('p1', Skeleton.CONFIRMED)
    assert (got.age.sec, got.age.nanosec) == (1, 250_000_000)
    np.testing.assert_allclose([got.x, got.y], truth.pose2d.xy.T, **close)
    np.testing.assert_allclose(got.covariance_2d, truth.pose2d.covariance.ravel(), **close)
    np.testing.assert_allclose(got.score_2d, truth.pose2d.score, **close)
    np.testing.assert_allclose(got.position, body.xyz.ravel(), **close)
    np.testing.assert_allclose(got.covariance, body.covariance.ravel(), **close)
    relative = body.relative_covariance.ravel()
    np.testing.assert_allclose(got.relative_covariance, relative, **close)
    np.testing.assert_allclose(got.root_covariance, body.root_covariance.ravel(), **close)
    np.testing.assert_array_equal(got.joint_state, body.state)
    np.testing.assert_allclose([h.weight for h in got.hypotheses], body.weights, **close)
    hypotheses = [np.reshape(h.xyz, (J, 3)) for h in got.hypotheses]
    np.testing.assert_allclose(hypotheses, body.hypotheses, **close)


def test_what_is_not_invalid_is_finite(graph):
    g = graph().bring_up()
    skeletons = g.listen('skeletons')
    g.bystander.show()
    (got,) = wait_for(lambda: skeletons)[0].skeletons
    position = np.reshape(got.position, (J, 3))
    valid = np.array(got.joint_state) != Skeleton.JOINT_INVALID
    assert valid.sum() == J - 1
    assert np.isfinite(position[valid]).all()
    assert np.isnan(position[~valid]).all()


def test_an_empty_scene_is_answered_too(graph):
    g = graph().bring_up()
    g.pipeline.people = []
    skeletons = g.listen('skeletons')
    g.bystander.show(stamp_s=3)
    (msg,) = wait_for(lambda: skeletons)
    assert (list(msg.skeletons), msg.header.stamp.sec) == ([], 3)


def test_a_lost_person_is_announced_once_as_terminated(graph):
    g = graph().bring_up()
    skeletons = g.listen('skeletons')
    for n, people in enumerate(([person('p1')], [], []), start=1):
        g.pipeline.people = people
        g.bystander.show(stamp_s=n)
        wait_for(lambda n=n: len(skeletons) == n)
    states = [[(s.track_id, s.track_state) for s in msg.skeletons] for msg in skeletons]
    assert states == [[('p1', Skeleton.CONFIRMED)], [('p1', Skeleton.TERMINATED)], []]
    assert np.isnan(skeletons[1].skeletons[0].x).all()


@pytest.mark.parametrize('reliability', [BEST_EFFORT, RELIABLE])
def test_cameras_of_either_reliability_are_heard(graph, reliability):
    g = graph(reliability=reliability).bring_up()
    skeletons = g.listen('skeletons')
    g.bystander.show()
    assert wait_for(lambda: skeletons)


def test_best_effort_listeners_get_the_results(graph):
    g = graph().bring_up()
    qos = QoSProfile(depth=1, reliability=BEST_EFFORT)
    skeletons, markers = g.listen('skeletons', qos), g.listen('markers', qos)
    g.bystander.show()
    assert wait_for(lambda: skeletons and markers)


def test_quality_of_service_can_be_overridden(graph):
    name = 'qos_overrides./image.subscription.reliability'
    g = graph(settings={name: 'reliable'}, reliability=RELIABLE).bring_up()
    (info,) = g.bystander.get_subscriptions_info_by_topic('/image')
    assert info.qos_profile.reliability == RELIABLE


def test_a_late_listener_learns_the_joints(graph):
    g = graph().bring_up()
    infos = g.listen('skeleton_info', LATCHED)
    (info,) = wait_for(lambda: infos)
    assert info.joint_names == list(H36M_17.joints)
    assert np.reshape(info.edges, (-1, 2)).tolist() == [list(edge) for edge in H36M_17.edges]
    l_elbow = info.joint_names.index('l_elbow')
    assert (info.coco_index[l_elbow], info.hri_index[l_elbow]) == (7, 6)
    assert info.coco_index[info.joint_names.index('hip')] == -1


def test_images_that_come_during_work_are_dropped_and_counted_but_the_newest(graph):
    g = graph().bring_up()
    timing, skeletons = g.listen('timing'), g.listen('skeletons')
    g.pipeline.go.clear()
    for n in range(1, 6):
        g.bystander.show(stamp_s=n)
        wait_for(lambda n=n: g.received == n)
        wait_for(lambda: g.pipeline.frames)
    g.pipeline.go.set()
    wait_for(lambda: len(timing) == 2)
    assert [frame.stamp_ns for frame in g.pipeline.frames] == [1 * 10**9, 5 * 10**9]
    assert [msg.frame_seq for msg in skeletons] == [1, 5]
    assert [msg.dropped_since_last for msg in timing] == [0, 3]


def test_the_times_of_the_stages_make_up_the_total(graph):
    g = graph().bring_up()
    timing = g.listen('timing')
    g.pipeline.go.clear()
    g.bystander.show()
    wait_for(lambda: g.pipeline.frames)
    time.sleep(0.4)
    g.pipeline.go.set()
    (msg,) = wait_for(lambda: timing)
    stages = [getattr(msg, f'{stage}_ms') for stage in STAGES]
    assert 400 <= msg.pose2d_ms <= sum(stages)
    assert sum(stages) <= msg.total_ms + 0.01 < sum(stages) + 200
    assert not msg.deadline_missed


def test_the_overlay_is_drawn_only_for_listeners(graph, monkeypatch):
    drawn = []

    def draw(image, people, skeleton):
        drawn.append(len(people))
        return 255 - image

    monkeypatch.setattr('diffpose_ros.ros.outputs.draw_overlay', draw)
    g = graph().bring_up()
    timing = g.listen('timing')
    g.bystander.show(stamp_s=1)
    wait_for(lambda: len(timing) == 1)
    overlay = g.listen('overlay')
    g.bystander.show(stamp_s=2)
    (msg,) = wait_for(lambda: overlay)
    assert drawn == [1]
    assert (msg.encoding, msg.header.stamp.sec, msg.data[0]) == ('rgb8', 2, 127)


def test_a_calibrated_camera_reaches_the_pipeline(graph):
    g = graph().bring_up()
    skeletons = g.listen('skeletons')
    g.calibrate()
    g.bystander.show()
    (msg,) = wait_for(lambda: skeletons)
    assert g.pipeline.frames[0].camera.K[0, 0] == 60
    assert msg.inference.degraded == 0


def test_without_calibration_people_are_seen_and_the_message_says_so(graph):
    g = graph().bring_up()
    skeletons = g.listen('skeletons')
    g.bystander.show()
    (msg,) = wait_for(lambda: skeletons)
    assert msg.inference.degraded == InferenceInfo.DEGRADED_NO_CAMERA_INFO
    assert g.pipeline.frames[0].camera is None


def test_a_missing_calibration_is_one_warning(graph, monkeypatch, capfd):
    monkeypatch.setattr('diffpose_ros.ros.frames.PATIENCE_S', 0.0)
    g = graph().bring_up()
    skeletons = g.listen('skeletons')
    for n in range(1, 5):
        g.bystander.show(stamp_s=n)
        wait_for(lambda n=n: len(skeletons) == n)
    assert capfd.readouterr().err.count('uncalibrated') == 1


def test_a_pipeline_that_breaks_costs_one_image(graph):
    g = graph().bring_up()
    skeletons = g.listen('skeletons')
    g.pipeline.failures = 1
    g.bystander.show(stamp_s=1)
    wait_for(lambda: g.pipeline.resets)
    assert 'told to fail' in g.wait_for_level('inference', ERROR)
    g.bystander.show(stamp_s=2)
    (msg,) = wait_for(lambda: skeletons)
    assert msg.header.stamp.sec == 2


def test_stale_images_are_dropped_when_a_limit_is_set(graph):
    g = graph(settings={'max_age_ms': 20000.0}).bring_up()
    skeletons = g.listen('skeletons')
    now_s = time.time()
    g.bystander.show(stamp_s=now_s - 60)
    wait_for(lambda: g.health.last_error)
    g.bystander.show(stamp_s=now_s)
    (msg,) = wait_for(lambda: skeletons)
    assert msg.header.stamp.sec == int(now_s)


def test_dynamic_settings_hold_from_the_next_image_on(graph):
    g = graph().bring_up()
    skeletons = g.listen('skeletons')
    g.node.set_parameters([Parameter('inference.steps', value=4)])
    g.bystander.show()
    (msg,) = wait_for(lambda: skeletons)
    assert msg.inference.steps_2d == 4


def test_settings_changed_before_activation_hold_as_well(graph):
    g = graph()
    g.node.trigger_configure()
    g.node.set_parameters([Parameter('inference.steps', value=4)])
    g.node.trigger_activate()
    wait_for(g.bystander.images.get_subscription_count)
    skeletons = g.listen('skeletons')
    g.bystander.show()
    (msg,) = wait_for(lambda: skeletons)
    assert msg.inference.steps_2d == 4


def test_names_can_be_remapped(graph):
    g = graph(
        cli_args=['--ros-args', '-r', 'image:=/front/image_raw', '-r', '__ns:=/robot'],
        image_topic='/front/image_raw',
    )
    g.node.bring_up()
    wait_for(g.bystander.images.get_subscription_count)
    names = dict(g.node.get_topic_names_and_types())
    assert '/robot/diffpose/skeletons' in names
    assert '/robot/camera_info' in names
