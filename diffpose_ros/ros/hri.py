"""
People as REP 155 (ROS4HRI) wants them, for nodes that listen to /humans.

/humans/bodies/tracked says which bodies are in view, /humans/bodies/<id>/skeleton2d where their
joints are in the image. The frames body_<id> are those of frames_tf.BodyFrames. The names are
absolute, as the convention wants them.
"""

from collections.abc import Iterable
from typing import Any

from diffpose_ros.core.people import Person, Pose2D, TrackState
from diffpose_ros.core.skeleton import Skeleton
from diffpose_ros.ros import compat, topics
from diffpose_ros.ros.convert import HRI_18
import numpy as np
from rclpy.event_handler import PublisherEventCallbacks
from rclpy.node import Node
from rclpy.publisher import Publisher
from std_msgs.msg import Header

SETTING = 'hri.enable'
BODIES = '/humans/bodies'
IN_VIEW = (TrackState.CONFIRMED, TrackState.OCCLUDED)  # one hidden for a moment stays a body


class HumansBridge:
    """Publishes on /humans who is in view; bodies come and go as topics of their own."""

    def __init__(self, node: Node, skeleton: Skeleton) -> None:
        self._node = node
        self._msgs = compat.optional('hri_msgs.msg', SETTING)
        self._joints = [_index(skeleton, name) for name in HRI_18]
        self._tracked = self._publisher(self._msgs.IdsList, f'{BODIES}/tracked')
        self._bodies: dict[str, Publisher] = {}

    def publish(self, people: Iterable[Person], header: Header, size: tuple[int, int]) -> None:
        """
        Say who is in view and where.

        header  of the image
        size    (width, height) of the image in pixels
        """
        bodies = {p.track_id: p.pose2d for p in people if p.track_state in IN_VIEW}
        for gone in self._bodies.keys() - bodies.keys():
            self._node.destroy_publisher(self._bodies.pop(gone))
        for track_id, pose in bodies.items():
            if track_id not in self._bodies:
                topic = f'{BODIES}/{track_id}/skeleton2d'
                self._bodies[track_id] = self._publisher(self._msgs.Skeleton2D, topic)
            if pose is not None:
                self._bodies[track_id].publish(self._skeleton(pose, header, size))
        self._tracked.publish(self._msgs.IdsList(header=header, ids=list(bodies)))

    def destroy(self) -> None:
        """Take the topics down."""
        for publisher in (self._tracked, *self._bodies.values()):
            self._node.destroy_publisher(publisher)

    def _skeleton(self, pose: Pose2D, header: Header, size: tuple[int, int]) -> Any:
        """Return the joints in shares of the image; unknown ones have no confidence."""
        shares = np.nan_to_num(np.clip((pose.xy + 0.5) / size, 0, 1)).tolist()
        scores = pose.score.tolist()
        point = self._msgs.NormalizedPointOfInterest2D
        points = [
            point() if j is None else point(x=shares[j][0], y=shares[j][1], c=scores[j])
            for j in self._joints
        ]
        return self._msgs.Skeleton2D(header=header, skeleton=points)

    def _publisher(self, kind: type, topic: str) -> Publisher:
        # Bodies go while the executor is about to wait in another thread, which ends with
        # InvalidHandle where that destroys an event handler (ros2/rclpy#1284): they have none.
        no_events = PublisherEventCallbacks(use_default_callbacks=False)
        return self._node.create_publisher(
            kind, topic, topics.results(1), event_callbacks=no_events
        )


def _index(skeleton: Skeleton, name: str) -> int | None:
    return skeleton.joints.index(name) if name in skeleton.joints else None
