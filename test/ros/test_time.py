"""Time is that of the ROS clock and of the images' stamps."""

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
    wait_for(lambda: 'max_age_ms' in g.node._health.last_error)
    g.bystander.show(stamp_s=999.5)
    wait_for(lambda: skeletons and timing)
    assert [msg.header.stamp.sec for msg in skeletons] == [999]
    assert timing[0].age_ms == 500
