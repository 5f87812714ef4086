"""Answers as messages of a bag, the same that the node publishes."""

from diffpose_ros.core.pipeline import PosePipeline
from diffpose_ros.msg import SkeletonArray, SkeletonInfo
from diffpose_ros.offline.bag import BagWriter, canonical
from diffpose_ros.offline.recording import NODE
from diffpose_ros.offline.segments import Answer
from diffpose_ros.ros import topics
from diffpose_ros.ros.convert import skeleton_array, skeleton_info
from diffpose_ros.ros.markers import MarkerBoard
from diffpose_ros.ros.recorder import type_name
from diffpose_ros.ros.settings import MarkersConfig
from rclpy.serialization import serialize_message
from std_msgs.msg import Header
from visualization_msgs.msg import MarkerArray

INFO, SKELETONS, MARKERS = (
    topic.replace('~', NODE) for topic in (topics.SKELETON_INFO, topics.SKELETONS, topics.MARKERS)
)
# topic, type, latched
SPOKEN: tuple[tuple[str, type, bool], ...] = (
    (INFO, SkeletonInfo, True),
    (SKELETONS, SkeletonArray, False),
    (MARKERS, MarkerArray, False),
)


class Speaker:
    """Writes what the node would publish, with nothing in it that differs from run to run."""

    def __init__(self, bag: BagWriter, start_ns: int) -> None:
        self._bag = bag
        self._types = {topic: type_name(kind) for topic, kind, _ in SPOKEN}
        for topic, _, latched in SPOKEN:
            bag.add_topic(topic, self._types[topic], latched)
        self._skeleton = PosePipeline.skeleton
        self._board, self._look = MarkerBoard(self._skeleton), MarkersConfig()
        self._write(INFO, start_ns, serialize_message(skeleton_info(self._skeleton)))

    def say(self, answer: Answer, header: Header, sequence: int) -> None:
        """Write skeletons and markers of an image, given its header and its number."""
        skeletons = skeleton_array(
            answer.result, self._skeleton, header, answer.size, sequence, hypotheses=True
        )
        self._write(SKELETONS, answer.time_ns, serialize_message(skeletons))
        markers = self._board.draw(answer.result.people, header, self._look)
        self._write(MARKERS, answer.time_ns, markers)

    def _write(self, topic: str, time_ns: int, cdr: bytes) -> None:
        self._bag.write(topic, time_ns, canonical(cdr, self._types[topic]))
