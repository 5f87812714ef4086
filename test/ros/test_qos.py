"""Quality of service between processes: every offer of a camera, over shared memory and UDP."""

import itertools
import logging
import os
from pathlib import Path
import subprocess
import sys

from bystander import rgb_message, wait_for
from diffpose_ros.core.share import find_shared
from diffpose_ros.msg import SkeletonArray
import numpy as np
import pytest
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import Image
from visualization_msgs.msg import MarkerArray

pytestmark = pytest.mark.ros
START_S = 120  # on a busy machine
ANSWERS, PERIOD_S = 31, 0.1
RELIABLE, BEST_EFFORT = ReliabilityPolicy.RELIABLE, ReliabilityPolicy.BEST_EFFORT
VOLATILE, LATCHED = DurabilityPolicy.VOLATILE, DurabilityPolicy.TRANSIENT_LOCAL
RVIZ = QoSProfile(depth=5, reliability=RELIABLE, durability=VOLATILE)  # of a new display
UDP_ONLY = """<profiles xmlns="http://www.eprosima.com/XMLSchemas/fastRTPS_Profiles">
  <transport_descriptors>
    <transport_descriptor><transport_id>udp</transport_id><type>UDPv4</type></transport_descriptor>
  </transport_descriptors>
  <participant profile_name="udp_only" is_default_profile="true">
    <rtps>
      <userTransports><transport_id>udp</transport_id></userTransports>
      <useBuiltinTransports>false</useBuiltinTransports>
    </rtps>
  </participant>
</profiles>
"""
log = logging.getLogger(__name__)


@pytest.fixture(scope='module', params=['shared memory', 'UDP'])
def transport(request, tmp_path_factory, ros_domain):
    """Start the node with one transport; this process has both."""
    profile = find_shared('config/fastdds.xml')
    if request.param == 'UDP':
        profile = tmp_path_factory.mktemp('dds') / 'udp.xml'
        profile.write_text(UDP_ONLY)
    names = ('FASTRTPS_DEFAULT_PROFILES_FILE', 'FASTDDS_DEFAULT_PROFILES_FILE')
    child = subprocess.Popen(
        [sys.executable, Path(__file__).parent / 'standin_pipeline.py'],
        env={**os.environ, **dict.fromkeys(names, str(profile))},
    )
    yield request.param
    child.kill()
    child.wait()


@pytest.mark.parametrize('durability', [VOLATILE, LATCHED], ids=lambda policy: policy.name)
@pytest.mark.parametrize('reliability', [RELIABLE, BEST_EFFORT], ids=lambda policy: policy.name)
def test_a_camera_of_any_offer_is_answered_and_rviz_sees_it(
    transport, context, executor, reliability, durability, record_property
):
    camera = Node('camera', context=context)
    offer = QoSProfile(depth=5, reliability=reliability, durability=durability)
    images = camera.create_publisher(Image, 'image', offer)
    skeletons, markers = [], []
    camera.create_subscription(SkeletonArray, '/diffpose/skeletons', skeletons.append, RVIZ)
    camera.create_subscription(MarkerArray, '/diffpose/markers', markers.append, RVIZ)
    executor.add_node(camera)
    wait_for(images.get_subscription_count, START_S)
    picture = rgb_message(np.full((480, 640, 3), 90, np.uint8))

    def show():
        images.publish(picture)
        return skeletons and markers

    wait_for(show, START_S)  # until both sides know each other
    numbers = itertools.count(1)

    def show_numbered():
        picture.header.stamp.sec = next(numbers)
        images.publish(picture)

    def numbered():
        return [msg for msg in skeletons if msg.header.stamp.sec]

    timer = camera.create_timer(PERIOD_S, show_numbered)
    wait_for(lambda: len(numbered()) >= ANSWERS, START_S)
    camera.destroy_timer(timer)
    first, last = numbered()[0], numbered()[-1]
    counts = {
        'sent': last.header.stamp.sec - first.header.stamp.sec,
        'received': last.frame_seq - first.frame_seq,
        'answered': len(numbered()) - 1,
    }
    log.info('%s %s %s: %s', transport, reliability.name, durability.name, counts)
    record_property('counts', counts)
    camera.destroy_node()
