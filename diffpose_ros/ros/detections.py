"""People that another detector found: vision_msgs/Detection2DArray to boxes."""

from collections.abc import Collection
import math
from typing import Any

from diffpose_ros.core.people import Box

MAX_PX = 1e6  # farther from the image, or larger, is nobody


def person_boxes(msg: Any, person_classes: Collection[str]) -> tuple[Box, ...]:
    """
    Return the people of a Detection2DArray, best score first.

    person_classes  class_id values that mean a person; empty = whatever was detected is one
    """
    boxes = [_box(detection, person_classes) for detection in msg.detections]
    return tuple(sorted((box for box in boxes if box), key=lambda box: -box.score))


def _box(detection: Any, person_classes: Collection[str]) -> Box | None:
    scores = [
        result.hypothesis.score
        for result in detection.results
        if not person_classes or result.hypothesis.class_id in person_classes
    ]
    box, center = detection.bbox, detection.bbox.center.position
    if not scores:
        return None
    numbers = (center.x, center.y, box.size_x, box.size_y, max(scores))
    if not all(map(math.isfinite, numbers)) or min(box.size_x, box.size_y) <= 0:
        return None
    return Box(*numbers) if max(map(abs, numbers)) <= MAX_PX else None
