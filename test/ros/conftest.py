"""A real ROS graph per test: the node and a bystander, in a context of their own."""

from contextlib import contextmanager, suppress
import fcntl
from importlib.util import find_spec
import os
from pathlib import Path
import sys
from threading import Event, Thread

import pytest

sys.path.append(str(Path(__file__).parent))  # for bystander and standin_pipeline
sys.path.append(str(Path(__file__).parent.parent / 'offline'))  # for follower

if find_spec('rclpy') is None:
    collect_ignore_glob = ['*']


@pytest.fixture(scope='session', autouse=True)
def memory_of_the_killed():
    """Free what Fast DDS leaves of processes that tests kill: up to 64 MiB of memory each."""
    yield
    for lock in Path('/dev/shm').glob('fastrtps_[0-9a-f]*_el'):  # whoever lives holds the lock
        with lock.open() as file, suppress(BlockingIOError):
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            lock.with_name(lock.name.removesuffix('_el')).unlink(missing_ok=True)
            lock.unlink()


@pytest.fixture(scope='module')
def standin():
    """Let demo and benchmark start the node with the stand-in for the pipeline."""
    here = str(Path(__file__).parent)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv('PYTHONPATH', here + os.pathsep + os.environ.get('PYTHONPATH', ''))
        for module in ('demo', 'benchmark_graph'):
            patch.setattr(f'diffpose_ros.ros.{module}.NODE_MODULE', 'standin_pipeline')
        yield


@pytest.fixture
def context():
    """Return a ROS context of the test's own."""
    import rclpy

    context = rclpy.Context()
    rclpy.init(context=context)
    yield context
    context.try_shutdown()


@pytest.fixture
def executor(context):
    """Return an executor that works in a thread."""
    from rclpy.executors import SingleThreadedExecutor

    executor = SingleThreadedExecutor(context=context)
    with spinning(executor):
        yield executor


@pytest.fixture
def graph(context):
    """Return a function that makes the graph: settings are the node's parameters."""
    from bystander import Bystander, Graph
    from diffpose_ros.ros.node import DiffposeNode
    from rclpy.executors import SingleThreadedExecutor
    from rclpy.parameter import Parameter
    from standin_pipeline import StandInPipeline

    nodes = []
    executor = SingleThreadedExecutor(context=context)

    def make(make_pipeline=StandInPipeline, settings=None, cli_args=(), **bystander_arguments):
        overrides = [Parameter(name, value=value) for name, value in (settings or {}).items()]
        node = DiffposeNode(
            make_pipeline, context=context, parameter_overrides=overrides, cli_args=[*cli_args]
        )
        bystander = Bystander(context=context, **bystander_arguments)
        nodes.extend([node, bystander])
        executor.add_node(node)
        executor.add_node(bystander)
        return Graph(node, bystander)

    with spinning(executor):
        yield make
    for node in nodes:
        node.close() if isinstance(node, DiffposeNode) else node.destroy_node()


@contextmanager
def spinning(executor):
    """Let an executor work in a thread."""
    from rclpy.impl.implementation_singleton import rclpy_implementation

    over = Event()

    def work():
        while executor.context.ok() and not over.is_set():
            # A test may destroy what this thread is about to wait for (ros2/rclpy#1284).
            with suppress(rclpy_implementation.InvalidHandle):
                executor.spin_once()

    thread = Thread(target=work, daemon=True)
    thread.start()
    yield
    executor.create_task(over.set)
    thread.join(10)
    executor.shutdown()
