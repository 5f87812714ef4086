"""Camera and RViz of the soak: 30 Hz, a clock that jumps, settings that change."""

import itertools

from diffpose_ros.msg import FrameTiming, SkeletonArray
import numpy as np
from rclpy.node import Node
from rclpy.parameter import Parameter
from rclpy.parameter_client import AsyncParameterClient
from rclpy.qos import qos_profile_sensor_data
from rclpy.serialization import deserialize_message
from rclpy.task import Future
from sensor_msgs.msg import CameraInfo, Image
from visualization_msgs.msg import Marker, MarkerArray

from benchmarks.crowd import HEIGHT, WIDTH

RATE_HZ = 30.0
JUMP_S, CHANGE_S = 45.0, 20.0
JUMPS_S = (-7.0, 3.0, -0.5, 60.0, -59.0)  # of the camera's clock
CHANGES = (  # the last one is refused
    {'inference.hypotheses': 9, 'publish_hypotheses': True, 'markers.hypotheses': True},
    {'inference.hypotheses': 5, 'publish_hypotheses': False, 'markers.hypotheses': False},
    {'markers.sigma': 0.0, 'joint_threshold': 0.5},
    {'markers.sigma': 2.0, 'joint_threshold': 0.3},
    {'inference.hypotheses': -1},
)


class Robot(Node):
    """Shows pictures and keeps what comes back."""

    def __init__(self) -> None:
        super().__init__('soak')
        self.sent = self.accepted = self.refused = 0
        self.timings: list[FrameTiming] = []
        self._newest: dict[str, bytes] = {}
        self._offset_s = 0.0
        self._jumps, self._changes = itertools.cycle(JUMPS_S), itertools.cycle(CHANGES)
        self._picture = Image(height=HEIGHT, width=WIDTH, encoding='rgb8', step=3 * WIDTH)
        self._picture.data = np.full(3 * WIDTH * HEIGHT, 128, np.uint8).tobytes()
        self._picture.header.frame_id = 'camera'
        self._images = self.create_publisher(Image, 'image', qos_profile_sensor_data)
        self._infos = self.create_publisher(CameraInfo, 'camera_info', qos_profile_sensor_data)
        self._parameters = AsyncParameterClient(self, 'diffpose')
        self._listen()
        self.create_timer(1 / RATE_HZ, self._show)
        self.create_timer(JUMP_S, self._jump)
        self.create_timer(CHANGE_S, self._change)

    def counts(self) -> dict[str, int]:
        """Return people and ids of the newest answer, and the markers that it draws."""
        if len(self._newest) < 2:
            return {'people': 0, 'markers': 0}
        skeletons = deserialize_message(self._newest['skeletons'], SkeletonArray).skeletons
        markers = deserialize_message(self._newest['markers'], MarkerArray).markers
        return {
            'people': len({skeleton.track_id for skeleton in skeletons}),
            'markers': sum(marker.action == Marker.ADD for marker in markers),
        }

    def _listen(self) -> None:
        # Kept as bytes: only the sampled ones are read.
        for topic, kind in (('skeletons', SkeletonArray), ('markers', MarkerArray)):

            def keep(data: bytes, topic: str = topic) -> None:
                self._newest[topic] = data

            self.create_subscription(kind, f'diffpose/{topic}', keep, 5, raw=True)
        self.create_subscription(FrameTiming, 'diffpose/timing', self.timings.append, 50)

    def _show(self) -> None:
        stamp_ns = self.get_clock().now().nanoseconds + round(self._offset_s * 1e9)
        stamp = self._picture.header.stamp
        stamp.sec, stamp.nanosec = divmod(stamp_ns, 10**9)
        k = [300.0, 0.0, WIDTH / 2, 0.0, 300.0, HEIGHT / 2, 0.0, 0.0, 1.0]
        self._infos.publish(
            CameraInfo(width=WIDTH, height=HEIGHT, k=k, distortion_model='plumb_bob')
        )
        self._images.publish(self._picture)
        self.sent += 1

    def _jump(self) -> None:
        self._offset_s += next(self._jumps)

    def _change(self) -> None:
        if self._parameters.services_are_ready():
            changes = next(self._changes).items()
            answer = self._parameters.set_parameters([Parameter(n, value=v) for n, v in changes])
            answer.add_done_callback(self._count)

    def _count(self, answer: Future) -> None:
        taken = [result.successful for result in answer.result().results]
        self.accepted += sum(taken)
        self.refused += len(taken) - sum(taken)
