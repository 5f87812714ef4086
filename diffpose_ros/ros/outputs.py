"""Everything that the node publishes about images."""

from diffpose_ros.core.people import FrameResult
from diffpose_ros.core.skeleton import Skeleton
from diffpose_ros.msg import FrameTiming, SkeletonArray, SkeletonInfo
from diffpose_ros.offline.draw import draw_overlay
from diffpose_ros.ros import topics
from diffpose_ros.ros.convert import frame_timing, rgb_image, skeleton_array, skeleton_info
from diffpose_ros.ros.markers import MarkerBoard
from diffpose_ros.ros.settings import NodeConfig
from diffpose_ros.ros.worker import Arrival
import numpy as np
from numpy.typing import NDArray
from rclpy.node import Node
from rclpy.publisher import Publisher
from rclpy.qos import QoSProfile
from sensor_msgs.msg import Image
from std_msgs.msg import Header
from visualization_msgs.msg import MarkerArray


class Outputs:
    """The publishers of a configured node."""

    def __init__(self, node: Node, skeleton: Skeleton) -> None:
        self._node = node
        self._skeleton = skeleton
        self._board = MarkerBoard(skeleton)
        self._header: Header | None = None  # of the last image
        self._publishers: list[Publisher] = []
        self._skeletons = self._publisher(SkeletonArray, topics.SKELETONS, topics.results())
        self._markers = self._publisher(MarkerArray, topics.MARKERS, topics.results())
        self._timing = self._publisher(FrameTiming, topics.TIMING, topics.results(10))
        self._overlay = self._publisher(Image, topics.OVERLAY, topics.results(1))
        self._info = self._publisher(SkeletonInfo, topics.SKELETON_INFO, topics.latched())
        self._info.publish(skeleton_info(skeleton))

    def people(
        self, result: FrameResult, arrival: Arrival, size: tuple[int, int], config: NodeConfig
    ) -> None:
        """Publish skeletons and, for who listens, markers; size is (width, height)."""
        header = self._header = arrival.msg.header
        self._skeletons.publish(
            skeleton_array(
                result, self._skeleton, header, size, arrival.seq, config.publish_hypotheses
            )
        )
        if self._markers.get_subscription_count():
            self._markers.publish(self._board.draw(result.people, header, config.markers))

    def timing(self, arrival: Arrival, dropped: int) -> None:
        """Publish where the time of an image went."""
        self._timing.publish(
            frame_timing(arrival.timing, arrival.msg.header, arrival.seq, dropped)
        )

    def overlay(self, image: NDArray[np.uint8], result: FrameResult, header: Header) -> None:
        """Publish the image (H, W, 3) with the people drawn in, if anybody wants it."""
        if self._overlay.get_subscription_count():
            drawn = draw_overlay(image, result.people, self._skeleton)
            self._overlay.publish(rgb_image(drawn, header))

    def clear(self) -> None:
        """Say that nobody is seen, and remove all markers."""
        if self._header is None:
            return
        self._skeletons.publish(
            SkeletonArray(
                header=self._header,
                camera_frame_id=self._header.frame_id,
                skeleton_id=self._skeleton.name,
            )
        )
        self._markers.publish(self._board.clear(self._header))

    def destroy(self) -> None:
        """Take the topics down."""
        for publisher in self._publishers:
            self._node.destroy_publisher(publisher)

    def _publisher(self, kind: type, topic: str, qos: QoSProfile) -> Publisher:
        publisher = self._node.create_publisher(
            kind, topic, qos, qos_overriding_options=topics.overridable()
        )
        self._publishers.append(publisher)
        return publisher
