from diffpose_ros.ros.spin import spin
import pytest
import rclpy
from rclpy.executors import ExternalShutdownException

AMID_A_MESSAGE = RuntimeError("Unable to convert call argument '0' to Python object")


class Ends:
    """An executor whose spinning ends by an exception."""

    def __init__(self, how):
        self._how = how

    def spin(self):
        raise self._how


@pytest.fixture
def running():
    rclpy.init()
    yield
    rclpy.try_shutdown()


@pytest.mark.parametrize('how', [KeyboardInterrupt(), ExternalShutdownException()])
def test_an_interrupt_ends_spinning(running, how):
    spin(Ends(how))


def test_an_interrupt_amid_a_message_is_an_interrupt(running):
    rclpy.shutdown()  # as rclpy's signal handler does
    spin(Ends(AMID_A_MESSAGE))


def test_other_errors_are_not_hidden(running):
    with pytest.raises(RuntimeError, match='Unable'):
        spin(Ends(AMID_A_MESSAGE))
