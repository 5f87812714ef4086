"""The node as a process of its own."""

from pathlib import Path
import signal
import subprocess
import sys

from bystander import Bystander, wait_for
import pytest
from rclpy.executors import SingleThreadedExecutor

pytestmark = pytest.mark.ros
START_S, END_S = 120, 30  # on a busy machine; 4 and 1 on an idle one
SCRIPT = Path(__file__).parent / 'standin_pipeline.py'


@pytest.fixture
def process():
    started = []

    def start(*arguments):
        command = [sys.executable, str(SCRIPT), '--ros-args', *arguments]
        started.append(
            subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        )
        return started[-1]

    yield start
    for child in started:
        child.kill()
        child.wait()


def test_started_alone_it_answers_images_of_another_process_and_ends_on_interrupt(
    process, context
):
    child = process()
    bystander = Bystander(context=context)
    skeletons = []
    from diffpose_ros.msg import SkeletonArray

    bystander.create_subscription(SkeletonArray, '/diffpose/skeletons', skeletons.append, 10)
    with SingleThreadedExecutor(context=context) as executor:
        executor.add_node(bystander)

        def answered():
            bystander.show()
            executor.spin_once(timeout_sec=0.05)
            return skeletons

        wait_for(answered, START_S)
    child.send_signal(signal.SIGINT)
    assert child.wait(END_S) == 0
    assert 'Traceback' not in child.stdout.read()
    bystander.destroy_node()


def test_a_wrong_start_parameter_ends_it_with_one_line(process):
    child = process('-p', 'inference.steps:=0')
    out, _ = child.communicate(timeout=START_S)
    assert child.returncode == 1
    assert 'inference.steps' in out
    assert 'Traceback' not in out


def test_of_the_library_of_bags_the_node_loads_at_most_the_conversion_of_images():
    told = 'import sys, diffpose_ros.ros.node; print(*sys.modules)'
    modules = subprocess.check_output([sys.executable, '-c', told], text=True).split()
    bags = {name for name in modules if name.split('.')[0] == 'rosbags'}
    assert bags <= {'rosbags', 'rosbags.image', 'rosbags.image.image'}
