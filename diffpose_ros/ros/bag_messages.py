"""Answers as messages of a bag, the same that the node publishes."""

import math

from diffpose_ros.core.config import NODE
from diffpose_ros.core.pipeline import PosePipeline
from diffpose_ros.msg import FrameTiming, SkeletonArray, SkeletonInfo
from diffpose_ros.offline.bag import BagWriter, canonical
from diffpose_ros.offline.segments import Answer
from diffpose_ros.ros import topics
from diffpose_ros.ros.convert import frame_timing, skeleton_array, skeleton_info
from diffpose_ros.ros.markers import MarkerBoard
from diffpose_ros.ros.recorder import type_name
from diffpose_ros.ros.settings import MarkersConfig
from diffpose_ros.ros.timing import Timing
from rclpy.serialization import serialize_message
from std_msgs.msg import Header
from visualization_msgs.msg import MarkerArray

INFO, SKELETONS, MARKERS, TIMING = (
    topic.replace('~', NODE)
    for topic in (topics.SKELETON_INFO, topics.SKELETONS, topics.MARKERS, topics.TIMING)
)
# topic, type, latched
SPOKEN: tuple[tuple[str, type, bool], ...] = (
    (INFO, SkeletonInfo, True),
    (SKELETONS, SkeletonArray, False),
    (MARKERS, MarkerArray, False),
)


def spoken(timing: bool) -> tuple[tuple[str, type, bool], ...]:
    """Return topic, type and latched of all that is written."""
    return (*SPOKEN, (TIMING, FrameTiming, False)) if timing else SPOKEN


class Speaker:
    """
    Writes what the node would publish.

    timing  the times of the images, too: all that differs from run to run
    """

    def __init__(self, bag: BagWriter, start_ns: int, timing: bool) -> None:
        self._bag, self._timing = bag, timing
        self._types = {topic: type_name(kind) for topic, kind, _ in spoken(timing)}
        for topic, _, latched in spoken(timing):
            bag.add_topic(topic, self._types[topic], latched)
        self._skeleton = PosePipeline.skeleton
        self._board, self._look = MarkerBoard(self._skeleton), MarkersConfig()
        self._write(INFO, start_ns, serialize_message(skeleton_info(self._skeleton)))

    def say(self, answer: Answer, header: Header, sequence: int) -> None:
        """Write what is said about an image, given its header and its number."""
        skeletons = skeleton_array(
            answer.result, self._skeleton, header, answer.size, sequence, hypotheses=True
        )
        self._write(SKELETONS, answer.time_ns, serialize_message(skeletons))
        markers = self._board.draw(answer.result.people, header, self._look)
        self._write(MARKERS, answer.time_ns, markers)
        if self._timing:
            stages = answer.stages_ms
            timing = Timing(math.nan, 0.0, stages, sum(stages.values()))
            message = frame_timing(timing, header, sequence, dropped=0)
            self._write(TIMING, answer.time_ns, serialize_message(message))

    def _write(self, topic: str, time_ns: int, cdr: bytes) -> None:
        self._bag.write(topic, time_ns, canonical(cdr, self._types[topic]))
