"""The recorder: everything the node says about people, into one bag."""

import argparse
from collections.abc import Callable, Sequence
import logging
from pathlib import Path
import sys
import time
from typing import Any

from diagnostic_msgs.msg import DiagnosticArray
from diffpose_ros.core.config import NODE
from diffpose_ros.msg import FrameTiming, SkeletonArray, SkeletonInfo
from diffpose_ros.offline.bag import BagWriter
from diffpose_ros.ros import topics
from diffpose_ros.ros.spin import noted_signals, spin
import rclpy
from rclpy.context import Context
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.qos import QoSProfile
from rclpy.signals import SignalHandlerOptions
from rclpy.utilities import remove_ros_args
from sensor_msgs.msg import CameraInfo
from visualization_msgs.msg import MarkerArray

DEPTH = 1000  # messages that may wait: none is lost when the machine is busy

# topic, type, latched
RECORDED: tuple[tuple[str, type, bool], ...] = (
    (topics.SKELETON_INFO, SkeletonInfo, True),
    (topics.SKELETONS, SkeletonArray, False),
    (topics.TIMING, FrameTiming, False),
    (topics.MARKERS, MarkerArray, False),
    (topics.CAMERA_INFO, CameraInfo, False),
    (topics.DIAGNOSTICS, DiagnosticArray, False),
)

log = logging.getLogger('recorder')

Listener = Callable[[str, bytes], None]


def ignore(topic: str, cdr: bytes) -> None:
    """Listen to nothing."""


class Recorder(Node):
    """
    Writes messages as they come from the wire, without taking them apart.

    bag     open, gets every message with the wall clock of its reception
    listen  called with topic and serialised message after it was written
    """

    def __init__(
        self, bag: BagWriter, listen: Listener = ignore, context: Context | None = None
    ) -> None:
        super().__init__('recorder', context=context)
        self._bag = bag
        self._listen = listen
        for name, kind, latched in RECORDED:
            topic = self.resolve_topic_name(name.replace('~', NODE))
            bag.add_topic(topic, type_name(kind), latched)
            profile = topics.latched() if latched else QoSProfile(depth=DEPTH)
            self.create_subscription(kind, topic, self._writer(topic), profile, raw=True)

    def _writer(self, topic: str) -> Callable[[bytes], None]:
        def write(cdr: bytes) -> None:
            self._bag.write(topic, time.time_ns(), cdr)
            self._listen(topic, cdr)

        return write


def type_name(kind: Any) -> str:
    """Return package/msg/Type of a message class."""
    return f'{kind.__module__.split(".")[0]}/msg/{kind.__name__}'


def main(argv: Sequence[str] | None = None) -> int:
    """Record until interrupted; return the exit code."""
    arguments = list(sys.argv if argv is None else argv)
    parser = argparse.ArgumentParser('recorder', description=__doc__)
    parser.add_argument('--out', type=Path, required=True, help='the .mcap file to write')
    args = parser.parse_args(remove_ros_args(arguments)[1:])
    rclpy.init(args=arguments, signal_handler_options=SignalHandlerOptions.NO)
    try:
        with BagWriter(args.out) as bag, noted_signals() as asked:
            record(bag, asked)
            counts = ', '.join(f'{topic} {count}' for topic, count in bag.counts.items())
        log.info('%s: %s', args.out, counts)
    except OSError as error:
        log.error('%s', error)
        return 1
    finally:
        rclpy.try_shutdown()
    return 0


def record(bag: BagWriter, ended: Callable[[], bool]) -> None:
    """Record until ended()."""
    recorder = Recorder(bag)
    executor = SingleThreadedExecutor()
    executor.add_node(recorder)
    spin(executor, ended)
    executor.shutdown()
    recorder.destroy_node()


if __name__ == '__main__':
    sys.exit(main())
