"""Time is that of the ROS clock and of the images' stamps."""

import math

from bystander import wait_for
import pytest
from rosgraph_msgs.msg import Clock

pytestmark = pytest.mark.ros


def test_the_age_of_images_is_told_by_simulated_time_where_that_is_used(graph):
    g = graph(settings={'use_sim_time': True, 'max_age_ms': 20000.0}).bring_up()
    skeletons, timing = g.listen('skeletons'), g.listen('timing')
    clock = g.bystander.create_publisher(Clock, '/clock', 10)
    wait_for(clock.get_subscription_count)
    now = Clock()
    now.clock.sec = 1000
    clock.publish(now)
    wait_for(lambda: g.node.get_clock().now().nanoseconds == 1000 * 10**9)
    g.bystander.show(stamp_s=900)
    wait_for(lambda: 'max_age_ms' in g.health.last_error)
    g.bystander.show(stamp_s=999.5)
    wait_for(lambda: skeletons and timing)
    assert [msg.header.stamp.sec for msg in skeletons] == [999]
    assert timing[0].age_ms == 500


def test_an_image_that_comes_late_is_left_out_and_everybody_stays(graph):
    g = graph().bring_up()
    timing = g.listen('timing')
    for stamp_s, answers in ((1.0, 1), (1.033, 2), (1.032, 2), (1.066, 3)):
        g.bystander.show(stamp_s=stamp_s)
        wait_for(lambda n=answers: len(timing) == n)
        if stamp_s == 1.032:
            wait_for(lambda: 'older than the one before' in g.health.last_error)
    assert [frame.stamp_ns for frame in g.pipeline.frames] == [10**9, 1_033_000_000, 1_066_000_000]


def test_time_that_starts_again_is_followed_and_told(graph, capfd):
    g = graph().bring_up()
    timing = g.listen('timing')
    for n, stamp_s in enumerate((10, 11, 1)):
        g.bystander.show(stamp_s=stamp_s)
        wait_for(lambda n=n: len(timing) == n + 1)
    assert 'time went back by 10.0 s' in capfd.readouterr().err


def test_a_stamp_that_is_none_is_refused_and_everybody_stays(graph, capfd):
    g = graph().bring_up()
    timing = g.listen('timing')
    g.bystander.show(stamp_s=10)
    wait_for(lambda: timing)
    g.bystander.show(stamp_s=-5)
    wait_for(lambda: 'stamp has -5 seconds' in g.health.last_error)
    assert 'time went back' not in capfd.readouterr().err


def test_an_image_without_a_stamp_has_no_age(graph):
    g = graph().bring_up()
    timing = g.listen('timing')
    g.bystander.show(stamp_s=0)
    wait_for(lambda: timing)
    assert math.isnan(timing[0].age_ms)


def test_an_image_without_a_stamp_is_not_taken_for_fresh(graph):
    g = graph(settings={'max_age_ms': 1000.0}).bring_up()
    g.bystander.show(stamp_s=0)
    wait_for(lambda: 'of unknown age' in g.health.last_error)
    assert not g.pipeline.frames
