"""The player: a video file as a camera, images and camera_info in real time or at another rate."""

import argparse
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import takewhile
import json
import logging
from pathlib import Path
import sys
import time
from typing import Any

from diagnostic_msgs.msg import DiagnosticArray
from diffpose_ros.core.arguments import positive
from diffpose_ros.core.camera import Camera
from diffpose_ros.core.files import write_atomically
from diffpose_ros.offline.calibration import read_camera
from diffpose_ros.offline.video import VideoReader
from diffpose_ros.ros.convert import rgb_image
from diffpose_ros.ros.spin import noted_signals
from diffpose_ros.ros.topics import CAMERA_INFO, DIAGNOSTICS, IMAGE
import numpy as np
from numpy.typing import NDArray
import rclpy
from rclpy.node import Node
from rclpy.qos import QoSProfile, ReliabilityPolicy
from rclpy.signals import SignalHandlerOptions
from rclpy.time import Time
from rclpy.utilities import remove_ros_args
from sensor_msgs.msg import CameraInfo, Image
from std_msgs.msg import Header

FRAME_ID = 'camera_optical_frame'
DEPTH = 10  # images that may wait in the publisher; 64 MiB of shared memory hold that many
SETTLE_S = 2.0  # from the last listener to the first image: it must have found us, too
LINGER_S = 0.5  # from the last image to the end: it is still being delivered

log = logging.getLogger('player')


class Player(Node):
    """Publishes what a camera publishes; stamps are the time of publication and rise."""

    def __init__(self, camera: Camera | None) -> None:
        super().__init__('player')
        best_effort = QoSProfile(depth=DEPTH, reliability=ReliabilityPolicy.BEST_EFFORT)
        self._camera = camera
        self._images = self.create_publisher(Image, IMAGE, best_effort)
        self._infos = self.create_publisher(CameraInfo, CAMERA_INFO, QoSProfile(depth=10 * DEPTH))
        self.stamps_ns: list[int] = []
        self.counted: set[str] = set()  # what diagnostics found one or more of
        self.create_subscription(DiagnosticArray, DIAGNOSTICS, self._note_counts, 10)

    def listeners(self) -> int:
        """Return how many get the calibration, 0 as long as nobody gets the images."""
        watched = self._images.get_subscription_count() > 0
        return self._infos.get_subscription_count() if watched else 0

    def show(self, pixels: NDArray[np.uint8]) -> None:
        """Publish one image (H, W, 3) RGB and its camera_info."""
        message = rgb_image(pixels, Header(frame_id=FRAME_ID))
        last_ns = self.stamps_ns[-1] if self.stamps_ns else 0
        stamp_ns = max(self.get_clock().now().nanoseconds, last_ns + 1)
        message.header.stamp = Time(nanoseconds=stamp_ns).to_msg()
        height, width = pixels.shape[:2]
        self._infos.publish(camera_info(self._camera, width, height, message.header))
        self._images.publish(message)
        self.stamps_ns.append(stamp_ns)

    def play(self, frames: Iterable[tuple[float, NDArray[np.uint8]]], rate: float) -> None:
        """
        Publish frames; one that comes late does not hurry the ones after it.

        frames  time in seconds from the first one, and pixels (H, W, 3) RGB
        rate    speed, 1 = real time
        """
        late_s, begin_s = 0.0, time.monotonic()
        for time_s, pixels in frames:
            due_s = begin_s + late_s + time_s / rate
            late_s += max(0.0, time.monotonic() - due_s)
            time.sleep(max(0.0, due_s - time.monotonic()))
            self.show(pixels)

    def _note_counts(self, message: DiagnosticArray) -> None:
        facts = (fact for status in message.status for fact in status.values)
        self.counted.update(fact.key for fact in facts if fact.value not in ('', '0'))


def loop(video: VideoReader, length_s: float) -> Iterator[tuple[float, NDArray[np.uint8]]]:
    """Yield so many seconds of a video, from its beginning again as often as needed."""
    begin_s = time_s = 0.0
    while True:
        for time_s, pixels in video:
            if begin_s + time_s >= length_s:
                return
            yield begin_s + time_s, pixels
        begin_s += time_s + 1 / video.fps


def camera_info(camera: Camera | None, width: int, height: int, header: Header) -> CameraInfo:
    """Return the calibration as a message; all zero, as ROS says it, where there is none."""
    if camera is None:
        return CameraInfo(header=header, width=width, height=height)
    projection = np.concatenate([camera.K, np.zeros((3, 1))], axis=1)
    return CameraInfo(
        header=header,
        width=width,
        height=height,
        distortion_model=camera.model,
        d=camera.distortion.tolist(),
        k=camera.K.ravel(),
        r=np.eye(3).ravel(),
        p=projection.ravel(),
    )


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of the player."""
    parser.add_argument('--video', type=Path, required=True, help='any video file')
    parser.add_argument('--camera', type=Path, help='its calibration; none = uncalibrated')
    parser.add_argument('--rate', type=positive, default=1.0, help='speed; 1 = real time')
    parser.add_argument('--seconds', type=positive, help='play so long; default: the video once')
    parser.add_argument(
        '--listeners', type=int, default=1, help='begin when so many listen to camera_info'
    )
    parser.add_argument(
        '--counts',
        nargs='+',
        default=(),
        help="and when /diagnostics counts these, for instance 'publishers of /image'",
    )
    parser.add_argument('--stamps', type=Path, help='write the stamps of all images to this file')


def wait_for_listeners(
    player: Player, wanted: int, counts: Sequence[str], ended: Callable[[], bool]
) -> None:
    """Return when enough are listening and have found us: by their word, or as time passed."""
    while player.listeners() < wanted or not player.counted.issuperset(counts):
        if ended():
            return
        rclpy.spin_once(player, timeout_sec=0.1)
    if not counts:
        time.sleep(SETTLE_S)


def play_file(args: argparse.Namespace, ended: Callable[[], bool]) -> None:
    """Play a video once somebody listens, and note the stamps, unless ended() comes first."""
    video = VideoReader(args.video)
    camera = None
    if args.camera is not None:
        camera = read_camera(args.camera, video.width, video.height)
    player = Player(camera)
    try:
        wait_for_listeners(player, args.listeners, args.counts, ended)
        frames = video if args.seconds is None else loop(video, args.seconds * args.rate)
        player.play(takewhile(lambda _: not ended(), frames), args.rate)
        if args.stamps is not None and not ended():
            write_atomically(args.stamps, json.dumps(player.stamps_ns).encode())
        time.sleep(LINGER_S)
    finally:
        player.destroy_node()


def main(argv: Sequence[str] | None = None) -> int:
    """Run the player; return its exit code."""
    arguments: list[Any] = list(sys.argv if argv is None else argv)
    parser = argparse.ArgumentParser('player', description=__doc__)
    add_arguments(parser)
    args = parser.parse_args(remove_ros_args(arguments)[1:])
    rclpy.init(args=arguments, signal_handler_options=SignalHandlerOptions.NO)
    try:
        with noted_signals() as ended:
            play_file(args, ended)
            return 130 if ended() else 0
    except (OSError, ValueError) as error:
        log.error('%s', error)
        return 1
    finally:
        rclpy.try_shutdown()


if __name__ == '__main__':
    sys.exit(main())
