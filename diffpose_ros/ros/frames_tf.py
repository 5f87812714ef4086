"""Results in the frame that the user wants, at the stamp of the image, and frames of bodies."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
import time

from diffpose_ros.core.people import FrameResult, Person
from diffpose_ros.core.rigid import body_frame, move_people, Rigid, UP
from diffpose_ros.ros import compat
from diffpose_ros.ros.settings import REPEAT_S
from geometry_msgs.msg import Quaternion, Transform, TransformStamped, Vector3
import numpy as np
from numpy.typing import NDArray
from rclpy.node import Node
from rclpy.time import Time
from scipy.spatial.transform import Rotation
from std_msgs.msg import Header

POLL_S = 0.005


@dataclass(frozen=True)
class Scene:
    """
    People as they are published.

    header        stamp of the image, frame of every 3D value
    camera_frame  optical frame of the image
    up            (3,)  upward in the image, in the frame of the header
    """

    result: FrameResult
    header: Header
    camera_frame: str
    up: NDArray[np.float64]


class TargetFrame:
    """Moves results into a frame; '' leaves them in the camera's and needs no tf2."""

    def __init__(self, node: Node, frame: str) -> None:
        self._node, self._frame = node, frame
        if frame:
            tf2 = compat.optional('tf2_ros', f'target_frame = {frame}')
            self._error = tf2.TransformException
            self._buffer = tf2.Buffer(node=node)
            self._listener = tf2.TransformListener(self._buffer, node)

    def destroy(self) -> None:
        """Listen no more."""
        if self._frame:
            self._listener.unregister()
            # The clock keeps no reference: at its next jump it would call what is gone.
            self._buffer.jump_handle.unregister()
            self._node.destroy_service(self._buffer.srv)

    def show(self, result: FrameResult, header: Header, timeout_s: float) -> Scene:
        """Return the result in the frame, or, where that is unknown, in the camera's."""
        camera = header.frame_id
        if self._frame in ('', camera):
            return Scene(result, header, camera, UP)
        motion = self._motion(header, timeout_s)
        if motion is None:
            info = replace(result.info, degraded=result.info.degraded | {'TF'})
            return Scene(replace(result, info=info), header, camera, UP)
        people = move_people(result.people, motion)
        moved = Header(stamp=header.stamp, frame_id=self._frame)
        return Scene(replace(result, people=people), moved, camera, motion.R @ UP)

    def _motion(self, header: Header, timeout_s: float) -> Rigid | None:
        stamp, camera = Time.from_msg(header.stamp), header.frame_id
        deadline = time.monotonic() + timeout_s
        while self._may_come(camera, stamp) and time.monotonic() < deadline:
            time.sleep(POLL_S)
        try:
            return rigid(self._buffer.lookup_transform(self._frame, camera, stamp).transform)
        except (self._error, ValueError) as error:  # ValueError: no rotation, or no frame_id
            self._node.get_logger().warning(
                f'3D stays in {camera!r}, because target_frame is unknown at the stamp of the '
                f'image: {error}',
                throttle_duration_sec=REPEAT_S,
            )
            return None

    def _may_come(self, camera: str, stamp: Time) -> bool:
        """Say whether the frames are connected, but not known at the stamp yet."""
        if self._buffer.can_transform(self._frame, camera, stamp):
            return False
        try:
            latest = self._buffer.get_latest_common_time(self._frame, camera)
            return latest.nanoseconds < stamp.nanoseconds
        except (self._error, ValueError):
            return False


class BodyFrames:
    """
    Publishes a frame for every body on /tf.

    prefix  of the frames' names, before body_<track_id>; '' names them as REP 155 does
    """

    def __init__(self, node: Node, setting: str, prefix: str) -> None:
        self._node, self._prefix = node, prefix
        tf2 = compat.optional('tf2_ros', setting)
        self._broadcaster = tf2.TransformBroadcaster(node)

    def publish(self, people: Iterable[Person], header: Header) -> None:
        """Publish where the people are, in the frame of the header."""
        bodies = {p.track_id: body_frame(p.pose3d) for p in people if p.pose3d is not None}
        frames = [
            transform(body, header, f'{self._prefix}body_{track_id}')
            for track_id, body in bodies.items()
            if body
        ]
        if frames:
            self._broadcaster.sendTransform(frames)

    def destroy(self) -> None:
        """Publish no more."""
        self._node.destroy_publisher(self._broadcaster.pub_tf)


def rigid(msg: Transform) -> Rigid:
    """Return a transform as matrices; ValueError for a quaternion of zeros."""
    q, t = msg.rotation, msg.translation
    return Rigid(Rotation.from_quat([q.x, q.y, q.z, q.w]).as_matrix(), np.array([t.x, t.y, t.z]))


def transform(body: Rigid, header: Header, child: str) -> TransformStamped:
    """Return the message that says where a frame is, seen from that of the header."""
    x, y, z = body.t.tolist()
    qx, qy, qz, qw = Rotation.from_matrix(body.R).as_quat().tolist()
    place = Transform(
        translation=Vector3(x=x, y=y, z=z), rotation=Quaternion(x=qx, y=qy, z=qz, w=qw)
    )
    return TransformStamped(header=header, child_frame_id=child, transform=place)
