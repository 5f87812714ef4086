"""What the messages about a crowd cost: people that are made up, messages that are sent."""

from collections.abc import Callable
from functools import partial
from typing import Any

from diffpose_ros.core.people import FrameResult, InferenceInfo
from diffpose_ros.core.skeleton import H36M_17
from diffpose_ros.evaluate.cost import median_ms
from diffpose_ros.evaluate.made_up import somebody
from diffpose_ros.msg import SkeletonArray
from diffpose_ros.ros.convert import skeleton_array
from diffpose_ros.ros.markers import MarkerBoard
from diffpose_ros.ros.points import point_cloud
from diffpose_ros.ros.settings import MarkersConfig
from diffpose_ros.ros.topics import results
from rclpy.node import Node
from sensor_msgs.msg import PointCloud2
from std_msgs.msg import Header
from visualization_msgs.msg import MarkerArray

HYPOTHESES = 5
SIZE = (640, 480)  # of the image, pixels


def message_costs(people: int) -> dict[str, float]:
    """Return the milliseconds to fill and publish each message about so many people."""
    node = Node('benchmark')
    crowd = tuple(somebody(f'b{n:04d}', n, HYPOTHESES) for n in range(people))
    header, board = Header(frame_id='camera'), MarkerBoard(H36M_17)
    info = InferenceInfo(1, 1, 2, HYPOTHESES, 27, 'benchmark@0')
    seen = FrameResult(0, crowd, info)
    fill = partial(skeleton_array, seen, H36M_17, header, SIZE, 0)
    jobs: dict[str, tuple[type, Callable[[], Any]]] = {
        'skeletons': (SkeletonArray, partial(fill, hypotheses=False)),
        'skeletons with hypotheses': (SkeletonArray, partial(fill, hypotheses=True)),
        'markers': (MarkerArray, partial(board.draw, crowd, header, MarkersConfig())),
        'points': (PointCloud2, partial(point_cloud, crowd, header)),
    }
    costs = {name: _cost_ms(node, *job) for name, job in jobs.items()}
    node.destroy_node()
    return costs


def _cost_ms(node: Node, kind: type, fill: Callable[[], Any]) -> float:
    """Return the time to fill and publish a message that somebody subscribes to."""
    publisher = node.create_publisher(kind, 'benchmark', results())
    listener = node.create_subscription(kind, 'benchmark', lambda msg: None, results(), raw=True)
    cost = median_ms(lambda: publisher.publish(fill()))
    node.destroy_subscription(listener)
    node.destroy_publisher(publisher)
    return cost
