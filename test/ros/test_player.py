"""The player in a real graph: a video becomes a camera."""

import json
import signal
import sys
import time

from bystander import process, wait_for
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from diffpose_ros.core.camera import Camera
from diffpose_ros.offline.video import VideoReader, VideoWriter
from diffpose_ros.ros.player import camera_info, FRAME_ID, loop, main
import numpy as np
import pytest
from rclpy.node import Node
from rclpy.qos import qos_profile_sensor_data
from sensor_msgs.msg import CameraInfo, Image
from std_msgs.msg import Header

pytestmark = pytest.mark.ros

FPS, COUNT = 20, 8
END_S = 120  # on a busy machine, from the start of the process


@pytest.fixture
def video(tmp_path):
    """Return a video of eight images, each brighter than the one before."""
    path = tmp_path / 'clip.mp4'
    with VideoWriter(path, 64, 48) as writer:
        for number in range(COUNT):
            writer.write(number / FPS, np.full((48, 64, 3), 20 * number, np.uint8))
    return path


@pytest.fixture
def camera(context, executor):
    """Return what a sensor-data subscriber has got; it tells as our node does whom it hears."""
    node = Node('viewer', context=context)
    heard = {'images': [], 'infos': []}
    inputs = [
        node.create_subscription(Image, 'image', heard['images'].append, qos_profile_sensor_data),
        node.create_subscription(CameraInfo, 'camera_info', heard['infos'].append, 10),
    ]
    diagnostics = node.create_publisher(DiagnosticArray, '/diagnostics', 10)

    def tell():
        values = [
            KeyValue(key=f'publishers of {i.topic_name}', value=str(i.get_publisher_count()))
            for i in inputs
        ]
        diagnostics.publish(DiagnosticArray(status=[DiagnosticStatus(values=values)]))

    node.create_timer(0.1, tell)
    executor.add_node(node)
    return heard


def play(*arguments) -> int:
    counts = ['--counts', 'publishers of /image', 'publishers of /camera_info']
    return main(['player', *map(str, arguments), *counts])


def stamp_s(msg) -> float:
    return msg.header.stamp.sec + msg.header.stamp.nanosec / 1e9


def test_a_video_is_played_again_until_the_time_is_over(video):
    times, images = zip(*loop(VideoReader(video), 1.0), strict=True)
    np.testing.assert_allclose(np.diff(times), 1 / FPS, rtol=0.1)
    assert 1 - 1.1 / FPS < times[-1] < 1
    np.testing.assert_array_equal(images[0], images[COUNT])


def test_every_image_arrives_in_order_with_rising_stamps(video, camera, tmp_path):
    assert play('--video', video, '--stamps', tmp_path / 'stamps.json') == 0
    images = wait_for(lambda: len(camera['images']) == COUNT and camera['images'])
    assert {(i.width, i.height, i.encoding, i.header.frame_id) for i in images} == {
        (64, 48, 'rgb8', FRAME_ID)
    }
    brightness = [np.mean(image.data) for image in images]
    np.testing.assert_allclose(brightness, 20 * np.arange(COUNT), atol=3)
    stamps = [stamp_s(image) for image in images]
    assert (np.diff(stamps) > 0).all()
    assert stamps == [stamp_s(info) for info in camera['infos']]
    told = np.array(json.loads((tmp_path / 'stamps.json').read_text())) / 1e9
    np.testing.assert_allclose(stamps, told, atol=1e-6)


@pytest.mark.parametrize('rate', [0.5, 0.25])
def test_the_images_come_at_the_pace_of_the_video_times_the_rate(video, camera, rate):
    play('--video', video, '--rate', rate)
    images = wait_for(lambda: len(camera['images']) == COUNT and camera['images'])
    gaps_s = np.diff([stamp_s(image) for image in images])
    assert np.median(gaps_s) == pytest.approx(1 / FPS / rate, rel=0.2)


def test_it_waits_until_somebody_listens(video, request):
    arguments = [sys.executable, '-m', 'diffpose_ros.ros.player', '--video', str(video)]
    with process(*arguments) as player:
        time.sleep(3)
        assert player.poll() is None
        heard = request.getfixturevalue('camera')
        assert player.wait(END_S) == 0
    assert wait_for(lambda: heard['infos'])


def test_as_a_process_it_ends_when_it_is_stopped(video):
    arguments = [sys.executable, '-m', 'diffpose_ros.ros.player', '--video', str(video)]
    with process(*arguments) as player:
        time.sleep(3)
        player.terminate()
        assert player.wait(END_S) in (130, -signal.SIGTERM)  # the latter while it still loads


def test_camera_info_carries_the_calibration():
    K = np.array([[500.0, 0, 310], [0, 510, 250], [0, 0, 1]])
    camera = Camera(K, 640, 480, np.array([0.1, -0.2, 0, 0, 0.3]))
    msg = camera_info(camera, 640, 480, Header())
    np.testing.assert_array_equal(np.reshape(msg.k, (3, 3)), K)
    np.testing.assert_array_equal(np.reshape(msg.p, (3, 4))[:, :3], K)
    assert list(msg.d) == [0.1, -0.2, 0, 0, 0.3]
    assert msg.distortion_model == 'plumb_bob'


def test_without_calibration_camera_info_is_zero_as_ros_says_it():
    msg = camera_info(None, 640, 480, Header())
    assert (msg.width, msg.height) == (640, 480)
    assert not np.any(msg.k)


def test_a_missing_video_ends_it_with_one_line(tmp_path, caplog):
    assert play('--video', tmp_path / 'nowhere.mp4') == 1
    (record,) = caplog.records
    assert 'nowhere.mp4' in record.getMessage()
