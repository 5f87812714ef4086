"""Everything that the node publishes about images."""

from contextlib import ExitStack
from dataclasses import dataclass, replace

from diffpose_ros.core.people import FrameResult
from diffpose_ros.core.skeleton import Skeleton
from diffpose_ros.msg import FrameTiming, SkeletonArray, SkeletonInfo
from diffpose_ros.offline.draw import draw_overlay
from diffpose_ros.ros import topics
from diffpose_ros.ros.convert import frame_timing, rgb_image, skeleton_array, skeleton_info
from diffpose_ros.ros.frames_tf import BodyFrames, Scene, TargetFrame
from diffpose_ros.ros.hri import HumansBridge
from diffpose_ros.ros.hri import SETTING as HRI
from diffpose_ros.ros.markers import MarkerBoard
from diffpose_ros.ros.points import point_cloud
from diffpose_ros.ros.settings import NodeConfig
from diffpose_ros.ros.worker import Arrival
import numpy as np
from numpy.typing import NDArray
from rclpy.node import Node
from rclpy.publisher import Publisher
from rclpy.qos import QoSProfile
from sensor_msgs.msg import Image, PointCloud2
from std_msgs.msg import Header
from visualization_msgs.msg import MarkerArray


@dataclass(frozen=True)
class Shown:
    """
    What was published of an image.

    header  of the image
    size    (width, height) of the image in pixels
    seq     of the image among those received
    """

    scene: Scene
    header: Header
    size: tuple[int, int]
    seq: int


class Outputs:
    """The publishers of a configured node."""

    def __init__(self, node: Node, skeleton: Skeleton, config: NodeConfig) -> None:
        self._node = node
        self._skeleton = skeleton
        self._board = MarkerBoard(skeleton)
        self._shown: Shown | None = None  # at last
        self._publishers: list[Publisher] = []
        self._graph = ExitStack()  # takes down what is up
        try:
            self._enter(config)
        except BaseException:
            self.destroy()
            raise

    def _enter(self, config: NodeConfig) -> None:
        node = self._node
        self._humans = HumansBridge(node, self._skeleton) if config.hri.enable else None
        self._to_be_destroyed(self._humans)
        self._bodies = body_frames(node, config)
        self._to_be_destroyed(self._bodies)
        self._target = TargetFrame(node, config.target_frame)
        self._to_be_destroyed(self._target)
        self._skeletons = self._publisher(SkeletonArray, topics.SKELETONS, topics.results())
        self._markers = self._publisher(MarkerArray, topics.MARKERS, topics.results())
        self._points = self._publisher(PointCloud2, topics.POINTS, topics.results())
        self._timing = self._publisher(FrameTiming, topics.TIMING, topics.results(10))
        self._overlay = self._publisher(Image, topics.OVERLAY, topics.results(1))
        self._info = self._publisher(SkeletonInfo, topics.SKELETON_INFO, topics.latched())
        self._info.publish(skeleton_info(self._skeleton))

    def people(
        self, result: FrameResult, arrival: Arrival, size: tuple[int, int], config: NodeConfig
    ) -> FrameResult:
        """
        Publish skeletons and frames and, for who listens, markers and points.

        size     (width, height) of the image in pixels
        returns  the result as published
        """
        header, timeout_s = arrival.msg.header, config.sync.timeout_ms / 1000
        scene = self._target.show(result, header, timeout_s)
        self._shown = Shown(scene, header, size, arrival.seq)
        self._show(self._shown, config)
        return scene.result

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

    def clear(self, lost: tuple[str, ...], config: NodeConfig) -> None:
        """Say, under the stamp of the last image, that nobody is seen and whose tracks ended."""
        if self._shown is None:
            return
        scene = self._shown.scene
        nobody = replace(scene.result, people=(), lost=lost)
        self._show(replace(self._shown, scene=replace(scene, result=nobody)), config)

    def are_closed(self) -> bool:
        """Say whether the node's graph was shut down, so that nothing can be published."""
        return not self._node.context.ok()

    def subscribers(self) -> dict[str, int]:
        """Return how many listen, by topic."""
        return {p.topic_name: p.get_subscription_count() for p in self._publishers}

    def destroy(self) -> None:
        """Take the topics down."""
        self._graph.close()

    def _show(self, shown: Shown, config: NodeConfig) -> None:
        scene = shown.scene
        self._skeletons.publish(
            skeleton_array(
                scene.result,
                self._skeleton,
                scene.header,
                shown.size,
                shown.seq,
                config.publish_hypotheses,
                scene.camera_frame,
            )
        )
        self._draw(scene, config)
        if self._humans is not None:
            self._humans.publish(scene.result.people, shown.header, shown.size)

    def _draw(self, scene: Scene, config: NodeConfig) -> None:
        people, header = scene.result.people, scene.header
        if self._markers.get_subscription_count():
            self._markers.publish(self._board.draw(people, header, config.markers, scene.up))
        if self._points.get_subscription_count():
            self._points.publish(point_cloud(people, header))
        if self._bodies is not None:
            self._bodies.publish(people, header)

    def _to_be_destroyed(self, part: HumansBridge | BodyFrames | TargetFrame | None) -> None:
        if part is not None:
            self._graph.callback(part.destroy)

    def _publisher(self, kind: type, topic: str, qos: QoSProfile) -> Publisher:
        publisher = self._node.create_publisher(
            kind, topic, qos, qos_overriding_options=topics.overridable()
        )
        self._graph.callback(self._node.destroy_publisher, publisher)
        self._publishers.append(publisher)
        return publisher


def body_frames(node: Node, config: NodeConfig) -> BodyFrames | None:
    """Return what publishes them; nodes of other namespaces publish frames of other names."""
    if config.hri.enable:
        return BodyFrames(node, HRI, '')
    namespace = node.get_namespace().strip('/')
    prefix = f'{namespace}/' if namespace else ''
    return BodyFrames(node, 'publish_tf', prefix) if config.publish_tf else None
