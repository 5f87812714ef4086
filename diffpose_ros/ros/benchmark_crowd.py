"""What the messages about a crowd cost: people that are made up, messages that are sent."""

from collections.abc import Callable
from functools import partial
from typing import Any

from diffpose_ros.core.people import (
    Box,
    FrameResult,
    InferenceInfo,
    JointState,
    Person,
    Pose2D,
    Pose3D,
    ScaleSource,
    TrackState,
)
from diffpose_ros.core.skeleton import H36M_17
from diffpose_ros.evaluate.cost import median_ms
from diffpose_ros.msg import SkeletonArray
from diffpose_ros.ros.convert import skeleton_array
from diffpose_ros.ros.markers import MarkerBoard
from diffpose_ros.ros.points import point_cloud
from diffpose_ros.ros.settings import MarkersConfig
from diffpose_ros.ros.topics import results
import numpy as np
from rclpy.node import Node
from sensor_msgs.msg import PointCloud2
from std_msgs.msg import Header
from visualization_msgs.msg import MarkerArray

HYPOTHESES = 5
SIZE = (640, 480)  # of the image, pixels


def message_costs(people: int) -> dict[str, float]:
    """Return the milliseconds to fill and publish each message about so many people."""
    node = Node('benchmark')
    crowd = tuple(somebody(number) for number in range(people))
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


def somebody(number: int) -> Person:
    """Return a person with every joint measured."""
    rng = np.random.default_rng(number)
    J = len(H36M_17.joints)
    xy = rng.uniform(50, 400, (J, 2))
    bodies = rng.normal([number, 0, 4], 0.5, (HYPOTHESES, J, 3))
    half = rng.normal(size=(J, 3, 3)) * 0.05
    covariance = half @ half.transpose(0, 2, 1)
    return Person(
        f'b{number:04d}',
        TrackState.CONFIRMED,
        1.0,
        Box.around(xy, 0.9),
        Pose2D(xy, np.tile(np.eye(2), (J, 1, 1)), np.full(J, 0.9)),
        Pose3D(
            bodies.mean(axis=0),
            covariance,
            covariance[0],
            bodies,
            np.full(HYPOTHESES, 1 / HYPOTHESES),
            np.full(J, JointState.MEASURED, np.uint8),
            ScaleSource.BODY_PRIOR,
        ),
    )


def _cost_ms(node: Node, kind: type, fill: Callable[[], Any]) -> float:
    """Return the time to fill and publish a message that somebody subscribes to."""
    publisher = node.create_publisher(kind, 'benchmark', results())
    listener = node.create_subscription(kind, 'benchmark', lambda msg: None, results(), raw=True)
    cost = median_ms(lambda: publisher.publish(fill()))
    node.destroy_subscription(listener)
    node.destroy_publisher(publisher)
    return cost
