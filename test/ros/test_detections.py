"""Boxes of another detector, as real vision_msgs, and the node that waits for them."""

import sys
import time

from bystander import wait_for
from diffpose_ros.msg import InferenceInfo
from diffpose_ros.ros import companions
from diffpose_ros.ros.compat import optional
from diffpose_ros.ros.detections import person_boxes
import pytest

pytestmark = pytest.mark.ros
TOPIC = {'detector.source': 'topic'}


@pytest.fixture
def vision_msgs():
    return pytest.importorskip('vision_msgs.msg', reason='vision_msgs comes with ROS, not pip')


def detection(vision_msgs, center, size, **scores):
    """Return one detection; scores by class."""
    msg = vision_msgs.Detection2D()
    msg.bbox.center.position.x, msg.bbox.center.position.y = map(float, center)
    msg.bbox.size_x, msg.bbox.size_y = map(float, size)
    for name, score in scores.items():
        result = vision_msgs.ObjectHypothesisWithPose()
        result.hypothesis.class_id, result.hypothesis.score = name, score
        msg.results.append(result)
    return msg


def test_people_are_taken_best_first_and_other_things_are_not(vision_msgs):
    msg = vision_msgs.Detection2DArray()
    msg.detections = [
        detection(vision_msgs, (10, 20), (4, 8), person=0.5, dog=0.7),
        detection(vision_msgs, (30, 20), (5, 9), person=0.9),
        detection(vision_msgs, (50, 20), (4, 4), chair=0.99),
        detection(vision_msgs, (50, 20), (4, 4)),
        detection(vision_msgs, (float('nan'), 20), (4, 4), person=0.9),
        detection(vision_msgs, (50, 20), (0, 4), person=0.9),
    ]
    first, second = person_boxes(msg, {'person', '0'})
    assert (first.x_center, first.y_center, first.width, first.height) == (30, 20, 5, 9)
    assert (first.score, second.score) == (0.9, 0.5)
    assert [box.score for box in person_boxes(msg, ())] == [0.99, 0.9, 0.7]


def show(graph, publisher, vision_msgs, stamp_s):
    msg = vision_msgs.Detection2DArray()
    msg.detections = [detection(vision_msgs, (10, 20), (4, 8), person=0.5)]
    msg.header.stamp.sec = stamp_s
    publisher.publish(msg)
    buffer = graph.node._companions._boxes
    wait_for(lambda: buffer._items and buffer._items[-1][0] == stamp_s * 10**9)


def test_the_boxes_of_an_image_reach_the_pipeline_and_those_of_another_do_not(graph, vision_msgs):
    g = graph(settings=TOPIC).bring_up()
    skeletons = g.listen('skeletons')
    publisher = g.bystander.create_publisher(vision_msgs.Detection2DArray, 'detections', 5)
    wait_for(publisher.get_subscription_count)
    show(g, publisher, vision_msgs, 1)
    g.bystander.show(stamp_s=1)
    wait_for(lambda: len(skeletons) == 1)
    g.bystander.show(stamp_s=3)
    wait_for(lambda: len(skeletons) == 2)
    matching, other = g.pipeline.frames
    assert [(box.x_center, box.height, box.score) for box in matching.boxes] == [(10, 8, 0.5)]
    assert other.boxes is None


def test_an_empty_result_says_so_where_the_other_detector_is_silent(graph, vision_msgs):
    g = graph(settings=TOPIC).bring_up()
    skeletons = g.listen('skeletons')
    g.bystander.show(stamp_s=1)
    wait_for(lambda: len(skeletons) == 1)
    publisher = g.bystander.create_publisher(vision_msgs.Detection2DArray, 'detections', 5)
    wait_for(publisher.get_subscription_count)
    show(g, publisher, vision_msgs, 2)
    g.bystander.show(stamp_s=2)
    wait_for(lambda: len(skeletons) == 2)
    silent = [m.inference.degraded & InferenceInfo.DEGRADED_NO_DETECTIONS for m in skeletons]
    assert [bool(bit) for bit in silent] == [True, False]


def test_an_empty_result_says_so_where_no_detections_have_the_stamps_of_images(
    graph, vision_msgs, monkeypatch
):
    monkeypatch.setattr(companions, 'SILENT_S', 0.2)
    g = graph(settings=TOPIC | {'sync.timeout_ms': 0.0}).bring_up()
    skeletons = g.listen('skeletons')
    publisher = g.bystander.create_publisher(vision_msgs.Detection2DArray, 'detections', 5)
    wait_for(publisher.get_subscription_count)
    for n, (detected_s, seen_s) in enumerate([(1, 1), (2, 3), (4, 5), (6, 6)]):
        show(g, publisher, vision_msgs, detected_s)
        if n == 2:
            time.sleep(0.3)
        g.bystander.show(stamp_s=seen_s)
        wait_for(lambda n=n: len(skeletons) == n + 1)
    unfit = [m.inference.degraded & InferenceInfo.DEGRADED_NO_DETECTIONS for m in skeletons]
    assert [bool(unfit[n]) for n in (0, 2, 3)] == [False, True, False]


def test_without_vision_msgs_configuration_fails_and_can_be_repeated(graph, monkeypatch):
    monkeypatch.setitem(sys.modules, 'vision_msgs.msg', None)
    g = graph(settings=TOPIC)
    g.node.trigger_configure()
    assert g.state == 'unconfigured'


def test_a_missing_package_is_named_with_the_remedy(monkeypatch):
    monkeypatch.setitem(sys.modules, 'vision_msgs.msg', None)
    with pytest.raises(ValueError, match=r'source = topic needs vision_msgs\.msg.*vision-msgs'):
        optional('vision_msgs.msg', 'detector.source = topic')


def test_our_own_detector_needs_no_detections(graph):
    g = graph().bring_up()
    assert not g.bystander.count_subscribers('/detections')
