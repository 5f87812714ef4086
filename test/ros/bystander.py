"""A bystander in the node's graph: it plays camera, robot and RViz."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
import subprocess
import time
from typing import NamedTuple

from diagnostic_msgs.msg import DiagnosticArray
from diffpose_ros.core.config import PipelineConfig
from diffpose_ros.msg import FrameTiming, SkeletonArray, SkeletonInfo
from diffpose_ros.ros.diagnostics import Health
from diffpose_ros.ros.settings import NodeConfig
from diffpose_ros.ros.worker import NewestWorker
import numpy as np
from rclpy.node import Node
from rclpy.qos import QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import CameraInfo, CompressedImage, Image, PointCloud2
from standin_pipeline import StandInPipeline
from std_msgs.msg import Header
from visualization_msgs.msg import MarkerArray

PATIENCE_S = 30.0
WIDTH, HEIGHT = 64, 48
OUTPUTS = {
    'skeletons': SkeletonArray,
    'markers': MarkerArray,
    'timing': FrameTiming,
    'overlay': Image,
    'points': PointCloud2,
    'skeleton_info': SkeletonInfo,
}


@contextmanager
def process(*arguments: str) -> Iterator[subprocess.Popen]:
    """Run a program; it does not outlive a test that fails."""
    child = subprocess.Popen(arguments)
    try:
        yield child
    finally:
        child.kill()
        child.wait()


def wait_for(what: Callable, patience_s: float = PATIENCE_S):
    """Return the first true answer; an assertion where there is none in time."""
    deadline = time.monotonic() + patience_s
    while time.monotonic() < deadline:
        if answer := what():
            return answer
        time.sleep(0.005)
    raise AssertionError(f'not within {patience_s} s')


def wait_for_answer(request, patience_s: float = 30.0):
    """Return what a service answers."""
    wait_for(request.done, patience_s)
    return request.result()


class Bystander(Node):
    """Publishes images, keeps what the node answers."""

    def __init__(
        self,
        reliability=ReliabilityPolicy.BEST_EFFORT,
        image_topic='image',
        image_type=Image,
        **arguments,
    ):
        super().__init__('bystander', **arguments)
        qos = QoSProfile(depth=5, reliability=reliability)
        self.images = self.create_publisher(image_type, image_topic, qos)
        self.infos = self.create_publisher(CameraInfo, 'camera_info', qos)
        self.diagnostics: list[DiagnosticArray] = []
        self.create_subscription(DiagnosticArray, '/diagnostics', self.diagnostics.append, 10)

    def show(
        self,
        msg: Image | CompressedImage | None = None,
        stamp_s: float = 1.0,
        frame_id: str = 'camera',
    ):
        """Publish an image, a grey one by default."""
        msg = rgb_message() if msg is None else msg
        sec, nanosec = divmod(round(stamp_s * 1e9), 10**9)
        msg.header = Header(frame_id=frame_id)
        msg.header.stamp.sec, msg.header.stamp.nanosec = sec, nanosec
        self.images.publish(msg)

    def calibrate(self, width: int = WIDTH, height: int = HEIGHT):
        """Publish the calibration of an ideal camera."""
        k = [60.0, 0.0, width / 2, 0.0, 60.0, height / 2, 0.0, 0.0, 1.0]
        self.infos.publish(
            CameraInfo(width=width, height=height, k=k, distortion_model='plumb_bob')
        )

    def wait_for_level(self, kind: str, level: bytes) -> str:
        """Wait for diagnostics about input or inference of that level; return their message."""
        count = len(self.diagnostics)

        def messages():
            told = [item for array in self.diagnostics[count:] for item in array.status]
            told = [item for item in told if item.name.endswith(f'diffpose: {kind}')]
            return [item.message for item in told if item.level == level]

        return wait_for(messages)[0]


def rgb_message(pixels: np.ndarray | None = None) -> Image:
    if pixels is None:
        pixels = np.full((HEIGHT, WIDTH, 3), 128, np.uint8)
    height, width = pixels.shape[:2]
    return Image(
        height=height, width=width, encoding='rgb8', step=3 * width, data=pixels.tobytes()
    )


class Settings(NamedTuple):
    pipeline: PipelineConfig
    node: NodeConfig


class Graph:
    """The node and the bystander."""

    def __init__(self, node, bystander):
        self.node, self.bystander = node, bystander

    @property
    def pipeline(self) -> StandInPipeline:
        return self.node._pipeline

    @property
    def state(self) -> str:
        return self.node._state_machine.current_state[1]

    @property
    def received(self) -> int:
        """Images that the node received since it was activated."""
        return self.node._seq

    @property
    def worker(self) -> NewestWorker:
        return self.node._worker

    @property
    def health(self) -> Health:
        """What the node's diagnostics are made of."""
        return self.node._health

    @property
    def settings(self) -> Settings:
        """What the node holds its parameters for, at this moment."""
        return Settings(self.node._settings.pipeline, self.node._settings.node)

    def bring_up(self):
        """Configure, activate, and wait until an image would be received."""
        self.node.bring_up()
        assert self.state == 'active'
        wait_for(self.bystander.images.get_subscription_count)
        wait_for(self.bystander.infos.get_subscription_count)
        return self

    def calibrate(self) -> None:
        """Send a calibration, and wait until the node has it."""
        self.bystander.calibrate()
        wait_for(lambda: self.node._cameras._info)

    def listen(self, topic: str, qos: int | QoSProfile = 10) -> list:
        """Return a list that fills with what the node publishes on ~/topic."""
        heard: list = []
        listener = self.bystander.create_subscription(
            OUTPUTS[topic], f'diffpose/{topic}', heard.append, qos
        )
        wait_for(listener.get_publisher_count)
        publishers = [p for p in self.node.publishers if p.topic_name == f'/diffpose/{topic}']
        wait_for(lambda: all(p.get_subscription_count() for p in publishers))
        return heard

    def call(self, kind: type, service: str, **fields):
        """Return the node's answer to a request to ~/service."""
        return wait_for_answer(self.ask(kind, service, **fields))

    def ask(self, kind: type, service: str, **fields):
        """Send a request to ~/service."""
        client = self.bystander.create_client(kind, f'/diffpose/{service}')
        assert client.wait_for_service(PATIENCE_S)
        return client.call_async(kind.Request(**fields))

    def wait_for_level(self, kind: str, level: bytes) -> str:
        """Wait for diagnostics about input or inference of that level; return their message."""
        return self.bystander.wait_for_level(kind, level)
