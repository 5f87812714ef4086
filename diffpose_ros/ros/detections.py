"""People that another detector found: vision_msgs/Detection2DArray to boxes."""

from collections.abc import Collection
import math
from typing import Any

from diffpose_ros.core.people import Box


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
    numbers = (center.x, center.y, box.size_x, box.size_y)
    if not scores or not all(map(math.isfinite, numbers)) or min(box.size_x, box.size_y) <= 0:
        return None
    return Box(*numbers, max(scores))
