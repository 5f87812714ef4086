"""Whatever is at work when a signal comes is finished before the program ends."""

import os
import signal
import threading

from diffpose_ros.ros.spin import noted_signals, spin
import pytest
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node

NUMBERS = [signal.SIGINT, signal.SIGTERM]


@pytest.fixture
def node(context):
    node = Node('spun', context=context)
    yield node
    node.destroy_node()


@pytest.mark.parametrize('number', NUMBERS)
def test_a_signal_ends_spinning_after_the_callback_that_it_meets(context, node, number):
    done = []

    def work():
        os.kill(os.getpid(), number)
        done.append('all of it')

    node.create_timer(0.01, work)
    with SingleThreadedExecutor(context=context) as executor, noted_signals() as asked:
        executor.add_node(node)
        spin(executor, asked)
    assert done == ['all of it']


def test_a_signal_ends_spinning_that_waits_for_messages(context, node):
    threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT)).start()
    with SingleThreadedExecutor(context=context) as executor, noted_signals() as asked:
        executor.add_node(node)
        spin(executor, asked)
        assert asked()


def test_a_shutdown_ends_spinning(context, node):
    node.create_timer(0.01, context.shutdown)
    with SingleThreadedExecutor(context=context) as executor:
        executor.add_node(node)
        spin(executor, lambda: False)
    assert not context.ok()


def test_a_second_interrupt_interrupts_as_usual():
    with noted_signals() as asked:
        os.kill(os.getpid(), signal.SIGINT)
        assert asked()
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)


@pytest.mark.parametrize('number', NUMBERS)
def test_afterwards_signals_act_as_before(number):
    before = signal.getsignal(number)
    with noted_signals():
        assert signal.getsignal(number) != before
    assert signal.getsignal(number) == before
