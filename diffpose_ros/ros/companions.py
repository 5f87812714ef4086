"""What else is told about an image on topics of its own: its depth, the people others found."""

from collections.abc import Callable
import time

from diffpose_ros.core.clip import to_ns
from diffpose_ros.core.people import Box
from diffpose_ros.ros import compat, topics
from diffpose_ros.ros.depth import depth_to_metres
from diffpose_ros.ros.detections import person_boxes
from diffpose_ros.ros.matching import SILENT_S, StampBuffer
from diffpose_ros.ros.parameters import Parameters
from diffpose_ros.ros.settings import REPEAT_S
import numpy as np
from numpy.typing import NDArray
from rclpy.impl.rcutils_logger import RcutilsLogger
from sensor_msgs.msg import Image
from std_msgs.msg import Header

Input = tuple[type, str, Callable]
REMEDY = 'check the topic, or raise sync.tolerance_ms or sync.timeout_ms'


class Companions:
    """Keeps what the settings ask for until its image is worked on."""

    def __init__(self, parameters: Parameters, logger: RcutilsLogger) -> None:
        self._parameters = parameters
        self._logger = logger
        self._depths: StampBuffer[Image] = StampBuffer()
        self._boxes: StampBuffer = StampBuffer()
        self._matched = float('-inf')  # monotonic, s, when detections last had an image's stamp
        self.inputs: list[Input] = []  # what to subscribe to: type, topic, callback
        if parameters.node.depth.enable:
            self.inputs.append((Image, topics.DEPTH, _into(self._depths)))
        if parameters.pipeline.detector.source == 'topic':
            kind = compat.optional('vision_msgs.msg', 'detector.source = topic').Detection2DArray
            self.inputs.append((kind, topics.DETECTIONS, _into(self._boxes)))

    def depth(self, header: Header, size: tuple[int, int]) -> NDArray[np.float32] | None:
        """Return the depth (H, W) in metres that belongs to an image of size (width, height)."""
        if not self._parameters.node.depth.enable:
            return None
        msg = self._matching(self._depths, header)
        if msg is None:
            self._logger.warning(
                f'3D goes without depth: none has the stamp of the image; {REMEDY}',
                throttle_duration_sec=REPEAT_S,
            )
            return None
        try:
            return depth_to_metres(msg, size)
        except ValueError as error:
            self._logger.error(f'3D goes without depth: {error}', throttle_duration_sec=REPEAT_S)
            return None

    def boxes(self, header: Header) -> tuple[Box, ...] | None:
        """Return the people that another detector found in an image; None = it said nothing."""
        if self._parameters.pipeline.detector.source != 'topic':
            return None
        msg = self._matching(self._boxes, header)
        if msg is None:
            self._logger.warning(
                f'nobody new is found: no detections have the stamp of the image; {REMEDY}',
                throttle_duration_sec=REPEAT_S,
            )
            return None
        self._matched = time.monotonic()
        names = self._parameters.node.detections.person_classes.split(',')
        return person_boxes(msg, {name.strip() for name in names if name.strip()})

    def lacking(self, depth: NDArray[np.float32] | None) -> set[str]:
        """Name what an image should have had and had not, as InferenceInfo.degraded does."""
        without_depth = self._parameters.node.depth.enable and depth is None
        others_detect = self._parameters.pipeline.detector.source == 'topic'
        lacks = {
            'NO_DEPTH': without_depth,
            'NO_DETECTIONS': others_detect and time.monotonic() - self._matched >= SILENT_S,
        }
        return {name for name, true in lacks.items() if true}

    def _matching(self, buffer: StampBuffer, header: Header):
        sync = self._parameters.node.sync
        return buffer.get(
            to_ns(header.stamp), round(sync.tolerance_ms * 1e6), sync.timeout_ms / 1000
        )


def _into(buffer: StampBuffer) -> Callable:
    return lambda msg: buffer.put(to_ns(msg.header.stamp), msg)
