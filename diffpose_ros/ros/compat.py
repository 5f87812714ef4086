"""What may be missing or different from one ROS installation to the next, and what stands in."""

from collections.abc import Callable
from importlib import import_module
from types import ModuleType

import numpy as np
from numpy.typing import NDArray
from rclpy.impl.implementation_singleton import rclpy_implementation
from rclpy.lifecycle import LifecycleNode
from sensor_msgs.msg import Image

ToRgb = Callable[[Image], NDArray[np.uint8]]
FORMER_NAMES = {'yuyv': 'yuv422_yuy2', 'uyvy': 'yuv422'}  # cv_bridge knows only these


def _cv_bridge() -> ToRgb:
    from cv_bridge import CvBridge

    bridge = CvBridge()

    def to_rgb(msg: Image) -> NDArray[np.uint8]:
        msg.encoding = FORMER_NAMES.get(msg.encoding, msg.encoding)
        return bridge.imgmsg_to_cv2(msg, 'rgb8')

    # One built for another NumPy fails only when it is used: use it before it is trusted.
    to_rgb(Image(height=1, width=1, encoding='bgr8', step=3, data=bytes(3)))
    return to_rgb


def _rosbags_image() -> ToRgb:
    from rosbags.image import image_to_cvimage

    return lambda msg: image_to_cvimage(msg, 'rgb8')


def image_converter() -> tuple[str, ToRgb]:
    """Return name and function of what turns an Image without row padding into RGB."""
    try:
        return 'cv_bridge', _cv_bridge()
    except Exception:  # not installed, or built for another NumPy (ImportError, AttributeError, …)
        return 'rosbags-image', _rosbags_image()


IMAGE_CONVERTER, image_to_rgb = image_converter()


def optional(module: str, setting: str) -> ModuleType:
    """Import what only some settings need; ValueError says what to do where it is missing."""
    try:
        return import_module(module)
    except ImportError as error:
        package = module.split('.')[0].replace('_', '-')
        raise ValueError(
            f'{setting} needs {module}, which cannot be imported ({error}); install '
            f'ros-$ROS_DISTRO-{package}, or leave that setting at its default'
        ) from error


def refuse_invalid_transitions(node: LifecycleNode) -> None:
    """Answer a transition that the state does not allow with false; rclpy would end the node."""
    service = node._service_change_state
    change_state = service.callback

    def guarded(request, response):
        try:
            return change_state(request, response)
        except rclpy_implementation.RCLError as error:
            node.get_logger().error(f'transition refused: {str(error).splitlines()[0]}')
            response.success = False
            return response

    service.callback = guarded
