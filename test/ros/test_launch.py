"""The launch file, run by the real launch system with a stand-in for the networks."""

import os
from pathlib import Path
import signal
import subprocess
import sys

from bystander import Bystander, wait_for
import cv2
from diffpose_ros.core.share import find_shared
from diffpose_ros.msg import SkeletonArray
import numpy as np
import pytest
from rcl_interfaces.srv import GetParameters
from rclpy.executors import SingleThreadedExecutor
from sensor_msgs.msg import CompressedImage, Image

pytest.importorskip('launch_ros', reason='launch_ros is not installed: it comes with ROS, not pip')

pytestmark = pytest.mark.ros
LAUNCH_FILE = find_shared('launch/diffpose.launch.py')
START_S = 120  # on a busy machine
STANDIN = Path(__file__).parent / 'standin_pipeline.py'
OTHERS = (
    ('image_proc', 'rectify_node'),
    ('tf2_ros', 'static_transform_publisher'),
    ('rviz2', 'rviz2'),
)
RUN = """
import sys
from launch import LaunchDescription, LaunchService
from launch.actions import IncludeLaunchDescription
from launch.launch_description_sources import PythonLaunchDescriptionSource

arguments = [argument.split(':=') for argument in sys.argv[2:]]
source = PythonLaunchDescriptionSource(sys.argv[1])
service = LaunchService()
service.include_launch_description(
    LaunchDescription([IncludeLaunchDescription(source, launch_arguments=arguments)])
)
sys.exit(service.run())
"""


@pytest.fixture
def description():
    from launch.launch_description_sources import (
        get_launch_description_from_python_launch_file,
    )

    return get_launch_description_from_python_launch_file(str(LAUNCH_FILE))


@pytest.fixture
def launch(tmp_path):
    """Return a function that starts the launch file; the executable is the stand-in."""
    executable = tmp_path / 'lib' / 'diffpose_ros' / 'diffpose'
    executable.parent.mkdir(parents=True)
    executable.write_text(
        f'#!/bin/sh\necho $$ >> {tmp_path}/pids\n'
        f'echo $FASTDDS_DEFAULT_PROFILES_FILE > {tmp_path}/profile\n'
        f'exec {sys.executable} {STANDIN} "$@"\n'
    )
    executable.chmod(0o755)
    packages = tmp_path / 'share' / 'ament_index' / 'resource_index' / 'packages'
    packages.mkdir(parents=True)
    (packages / 'diffpose_ros').touch()
    for package, name in OTHERS:
        other = tmp_path / 'lib' / package / name
        other.parent.mkdir()
        other.write_text(f'#!/bin/sh\necho "$@" >> {tmp_path}/{name}\nexec sleep 600\n')
        other.chmod(0o755)
        (packages / package).touch()
    prefixes = [str(tmp_path), *os.environ.get('AMENT_PREFIX_PATH', sys.prefix).split(os.pathsep)]
    environment = os.environ | {
        'AMENT_PREFIX_PATH': os.pathsep.join(prefixes),
        'ROS_LOG_DIR': str(tmp_path / 'log'),
    }
    started = []

    def start(*arguments):
        started.append(
            subprocess.Popen(
                [sys.executable, '-c', RUN, str(LAUNCH_FILE), *arguments],
                env=environment,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                start_new_session=True,
            )
        )
        return started[-1]

    yield start
    for child in started:
        if child.poll() is None:
            os.killpg(child.pid, signal.SIGKILL)
        child.wait()


def interrupt(child: subprocess.Popen) -> None:
    """Press Ctrl-C: the terminal interrupts all processes, launch relies on that."""
    os.killpg(child.pid, signal.SIGINT)


def compressed() -> CompressedImage:
    grey = np.full((48, 64, 3), 128, np.uint8)
    return CompressedImage(format='png', data=cv2.imencode('.png', grey)[1].tobytes())


def answer(context, namespace: str = '', topic: str = 'image', image=None) -> SkeletonArray:
    """Show images until the node answers."""
    kind = Image if image is None else type(image)
    bystander = Bystander(context=context, image_topic=topic, image_type=kind)
    heard: list[SkeletonArray] = []
    bystander.create_subscription(
        SkeletonArray, f'{namespace}/diffpose/skeletons', heard.append, 5
    )
    with SingleThreadedExecutor(context=context) as executor:
        executor.add_node(bystander)

        def answered():
            bystander.show(image)
            executor.spin_once(timeout_sec=0.05)
            return heard

        wait_for(answered, START_S)
    bystander.destroy_node()
    return heard[0]


def test_every_parameter_and_topic_is_a_described_argument(description):
    from test_parameters import ALL

    arguments = {a.name: a.description for a in description.get_launch_arguments()}
    assert {
        *ALL,
        'image_topic',
        'depth_topic',
        'detections_topic',
        'cameras',
        'namespace',
        'rviz',
    } <= set(arguments)
    assert all(meaning and 'No description' not in meaning for meaning in arguments.values())


def test_the_profile_for_large_images_is_given_to_our_processes_alone(launch, context, tmp_path):
    launch()
    answer(context)
    assert (tmp_path / 'profile').read_text().strip().endswith('config/fastdds.xml')


def test_including_it_changes_nothing_for_other_nodes(description):
    kinds = {type(entity).__name__ for entity in description.entities}
    assert kinds == {'DeclareLaunchArgument', 'OpaqueFunction'}


def test_it_brings_the_node_up_once_and_ends_on_interrupt(launch, context):
    slow = 'sigterm_timeout:=30'  # on a busy machine the node needs nearly launch's 5 s to end
    child = launch('inference.steps:=3', 'publish_hypotheses:=true', slow)
    msg = answer(context)
    assert msg.inference.steps_2d == 3
    assert msg.skeletons[0].hypotheses
    interrupt(child)
    out, _ = child.communicate(timeout=60)
    assert child.returncode == 0
    assert out.count('configured: ') == 1
    assert 'Traceback' not in out
    assert 'exit code' not in out


def test_a_killed_node_is_started_again_and_answers(launch, context, tmp_path):
    launch('respawn:=true')
    answer(context)

    def pids():
        return [int(pid) for pid in (tmp_path / 'pids').read_text().split()]

    (first,) = pids()
    os.kill(first, signal.SIGKILL)
    wait_for(lambda: len(pids()) == 2, START_S)
    assert answer(context).skeletons


def test_topics_namespace_and_file_are_taken(launch, context, tmp_path):
    params = tmp_path / 'mine.yaml'
    params.write_text('/**:\n  ros__parameters:\n    inference:\n      steps: 7\n')
    launch(
        f'params_file:={params}',
        'namespace:=/front',
        'image_topic:=/cam/image_raw',
        'log_level:=warn',
    )
    msg = answer(context, '/front', '/cam/image_raw')
    assert msg.inference.steps_2d == 7


def test_several_cameras_get_a_node_in_a_namespace_each(launch, context):
    launch('cameras:=front,rear', 'namespace:=/robot', 'image_topic:=image_raw')
    for camera in ('/robot/front', '/robot/rear'):
        assert answer(context, camera, f'{camera}/image_raw').skeletons


def test_rviz_looks_at_every_camera_from_a_frame_whose_z_is_up(launch, tmp_path):
    launch('cameras:=front,rear', 'rviz:=true', 'camera_frame:=front_optical,rear_optical')
    started = [tmp_path / name for name in ('rviz2', 'static_transform_publisher')]

    def both():
        told = [path.read_text() for path in started if path.is_file()]
        return told if [text.count('\n') for text in told] == [2, 2] else None

    views, frames = wait_for(both, START_S)
    for camera in ('front', 'rear'):
        upright = f'{camera}_optical_upright'
        assert f'--frame-id {camera}_optical --child-frame-id {upright}' in frames
        assert any(
            f'-f {upright}' in view and f'__ns:=/{camera}' in view for view in views.splitlines()
        )


def test_rviz_without_a_frame_for_every_camera_is_refused(launch):
    child = launch('cameras:=front,rear', 'rviz:=true')
    out, _ = child.communicate(timeout=START_S)
    assert 'name one for each of' in out
    assert child.returncode


def test_compressed_images_are_taken_from_the_topic_of_the_transport(launch, context):
    launch('image_transport:=compressed', 'image_topic:=/cam/image_raw')
    msg = answer(context, topic='/cam/image_raw/compressed', image=compressed())
    assert (msg.image_width, msg.image_height) == (64, 48)


def test_images_are_rectified_upstream_where_that_is_asked_for(launch, context, tmp_path):
    launch('rectify:=true', 'image_topic:=/cam/image_raw', 'namespace:=front')
    assert answer(context, '/front', '/front/image_rect').skeletons
    node = Bystander(context=context)
    client = node.create_client(GetParameters, '/front/diffpose/get_parameters')
    assert client.wait_for_service(START_S)
    done = client.call_async(GetParameters.Request(names=['rectified']))
    with SingleThreadedExecutor(context=context) as executor:
        executor.add_node(node)
        executor.spin_until_future_complete(done, timeout_sec=START_S)
    assert done.result().values[0].bool_value
    node.destroy_node()
    told = (tmp_path / 'rectify_node').read_text()
    assert 'image:=/cam/image_raw' in told
    assert '__ns:=/front' in told


def test_depth_and_its_topic_are_taken(launch, context):
    launch('depth.enable:=true', 'depth_topic:=/cam/depth_registered')
    answer(context)
    node = Bystander(context=context)
    assert wait_for(lambda: node.count_subscribers('/cam/depth_registered'), START_S)
    node.destroy_node()


def test_without_autostart_somebody_else_decides(launch, context):
    from lifecycle_msgs.srv import GetState

    child = launch('autostart:=false')
    bystander = Bystander(context=context)
    client = bystander.create_client(GetState, '/diffpose/get_state')
    assert client.wait_for_service(START_S)
    done = client.call_async(GetState.Request())
    with SingleThreadedExecutor(context=context) as executor:
        executor.add_node(bystander)
        executor.spin_until_future_complete(done, timeout_sec=START_S)
    assert done.result().current_state.label == 'unconfigured'
    bystander.destroy_node()
    interrupt(child)
    out, _ = child.communicate(timeout=60)
    assert 'configured: ' not in out
