"""Spinning until somebody ends it."""

import time

import rclpy
from rclpy.executors import Executor, ExternalShutdownException

NOTICED_S = 1.0  # in so long rclpy's signal handler has shut down


def spin(executor: Executor) -> None:
    """
    Spin until an interrupt or a shutdown.

    An interrupt that meets rclpy while it converts a message comes out as a RuntimeError of
    pybind11; it is an interrupt all the same.
    """
    try:
        executor.spin()
    except (KeyboardInterrupt, ExternalShutdownException):
        return
    except RuntimeError:
        if not _shuts_down():
            raise


def _shuts_down() -> bool:
    end_s = time.monotonic() + NOTICED_S
    while rclpy.ok() and time.monotonic() < end_s:
        time.sleep(0.01)
    return not rclpy.ok()
