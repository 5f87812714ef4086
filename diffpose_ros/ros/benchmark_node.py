"""
`diffpose benchmark node`: what the node costs beside its networks.

First the messages alone, filled and published for a crowd. Then the whole node on a video, image
after image: how long the networks are at work, and where the rest of the time goes. Somebody
subscribes to skeletons and markers in both; to the whole node the recorder, from a process of its
own, as on a robot.
"""

import argparse
from collections.abc import Callable, Iterator
from contextlib import contextmanager, ExitStack
from itertools import islice
import os
from pathlib import Path
import sys
from tempfile import TemporaryDirectory
from threading import Event, Thread
import time
from typing import Any
from unittest.mock import patch

from diffpose_ros.core.arguments import count
from diffpose_ros.core.config import NODE
from diffpose_ros.core.detector_network import DetectorNetwork
from diffpose_ros.core.device import gpu_works
from diffpose_ros.core.share import DEMO_CLIP, find_shared
from diffpose_ros.evaluate import compare
from diffpose_ros.evaluate.cost import await_gpu, median_ms
from diffpose_ros.lift3d.lifter import Lifter
from diffpose_ros.lift3d.model import LiftModel
from diffpose_ros.msg import FrameTiming
from diffpose_ros.offline.calibration import calibration_beside, read_camera
from diffpose_ros.offline.stage_times import STAGES
from diffpose_ros.offline.video import VideoReader
from diffpose_ros.ros import topics
from diffpose_ros.ros.benchmark_crowd import message_costs
from diffpose_ros.ros.convert import rgb_image
from diffpose_ros.ros.diagnostics import connections
from diffpose_ros.ros.node import DiffposeNode
from diffpose_ros.ros.player import Player
from diffpose_ros.ros.processes import Child, own_graph
from diffpose_ros.video2d.estimator import VideoEstimator
import numpy as np
import rclpy
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.serialization import deserialize_message, serialize_message
from rclpy.signals import SignalHandlerOptions
from sensor_msgs.msg import Image
from std_msgs.msg import Header
import torch

WARM_UP = 10  # images before the first that counts
PATIENCE_S = 60.0
# Inference: from the numbers of an image or window to the numbers that a network answers.
NETWORKS = (
    ('detect', DetectorNetwork, 'forward'),
    ('pose2d', VideoEstimator, 'features'),
    ('pose2d', VideoEstimator, '_heatmaps'),
    ('lift3d', LiftModel, 'hypotheses'),
    ('lift3d', LiftModel, 'image_covariance'),
)
RECORDED = (  # the same on a GPU, where what the networks answer and its reading are one piece
    ('detect', DetectorNetwork, 'forward'),
    ('pose2d', VideoEstimator, 'features'),
    ('pose2d', VideoEstimator, 'estimate'),
    ('lift3d', Lifter, 'lift'),
)
Times = dict[str, float]  # milliseconds by stage


class Stopwatch:
    """Adds up the milliseconds that are spent inside the networks."""

    def __init__(self) -> None:
        self._spent_ms: Times = {}

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Watch every network of this process."""
        with ExitStack() as stack:
            for stage, owner, name in RECORDED if gpu_works() else NETWORKS:
                watched = self._watched(stage, getattr(owner, name))
                stack.enter_context(patch.object(owner, name, watched))
            yield

    def take(self) -> Times:
        """Return the times since the last call."""
        spent, self._spent_ms = self._spent_ms, {}
        return spent

    def _watched(self, stage: str, function: Callable) -> Callable:
        def watched(*args: Any, **kwargs: Any) -> Any:
            began = time.perf_counter()
            try:
                return function(*args, **kwargs)
            finally:
                await_gpu()
                spent = 1000 * (time.perf_counter() - began)
                self._spent_ms[stage] = self._spent_ms.get(stage, 0.0) + spent

        return watched


class Viewer(Player):
    """A camera that shows the next image when the one before is answered."""

    def __init__(self, video: VideoReader) -> None:
        path = calibration_beside(video.path)
        super().__init__(None if path is None else read_camera(path, video.width, video.height))
        self._timing = FrameTiming()
        self._answered = Event()
        timing = topics.TIMING.replace('~', NODE)
        self.create_subscription(FrameTiming, timing, self._note, 10)

    def ask(self, pixels: np.ndarray) -> FrameTiming:
        """Return where the time of an image (H, W, 3) went; TimeoutError without an answer."""
        self._answered.clear()
        self.show(pixels)
        if not self._answered.wait(PATIENCE_S):
            raise TimeoutError(f'no answer from the node within {PATIENCE_S:.0f} s')
        return self._timing

    def is_watched(self) -> bool:
        """Say whether the node listens, and somebody else to what it says."""
        connected = connections(topics.SKELETONS, topics.MARKERS)
        return self.listeners() > 1 and self.counted.issuperset(connected)

    def _note(self, timing: FrameTiming) -> None:
        self._timing = timing
        self._answered.set()


def frame_costs(path: Path, frames: int) -> dict[str, Any]:
    """Return the mean milliseconds per image of a video, by stage, and the networks' part."""
    video, stopwatch = VideoReader(path), Stopwatch()
    if video.frames < WARM_UP + frames:
        raise ValueError(
            f'{path} has {video.frames} images, {WARM_UP} to warm up and {frames} to measure are '
            'needed; give a longer video or fewer --frames'
        )
    spent, inside = [], []
    with stopwatch.watching(), playing(video) as viewer:
        for i, (_, pixels) in enumerate(islice(video, WARM_UP + frames)):
            timing = viewer.ask(pixels)
            networks = stopwatch.take()
            if i >= WARM_UP:
                spent.append({name: getattr(timing, f'{name}_ms') for name in STAGES})
                inside.append(networks)
    stages = {'receive': receive_ms(video), **mean(spent)}
    return summary(stages, mean(inside), len(spent))


@contextmanager
def playing(video: VideoReader) -> Iterator[Viewer]:
    """Bring the node up with its default models; yield who shows it images."""
    node, viewer = DiffposeNode(), Viewer(video)
    try:
        node.bring_up()
        with recording(), spinning(node), spinning(viewer):
            deadline = time.monotonic() + PATIENCE_S
            while not viewer.is_watched() and time.monotonic() < deadline:
                time.sleep(0.05)
            yield viewer
    finally:
        node.close()
        viewer.destroy_node()


@contextmanager
def spinning(node: Node) -> Iterator[None]:
    """Call back in a thread of its own."""
    executor = SingleThreadedExecutor()
    executor.add_node(node)
    Thread(target=executor.spin, daemon=True).start()
    try:
        yield
    finally:
        executor.shutdown()


@contextmanager
def recording() -> Iterator[None]:
    """Have a recorder listen to all that the node says."""
    with TemporaryDirectory(prefix='diffpose_benchmark_') as name:
        folder = Path(name)
        arguments = ['--out', str(folder / 'node.mcap')]
        recorder = Child(
            'the recorder', 'diffpose_ros.ros.recorder', arguments, folder / 'recorder.log'
        )
        try:
            yield
        finally:
            recorder.stop()


def receive_ms(video: VideoReader) -> float:
    """Return what rclpy takes to make a message of a received image."""
    pixels = np.zeros((video.height, video.width, 3), np.uint8)
    received = serialize_message(rgb_image(pixels, Header()))
    return median_ms(lambda: deserialize_message(received, Image))


def mean(times: list[Times]) -> Times:
    """Return the mean of every stage."""
    names = dict.fromkeys(name for one in times for name in one)
    return {name: sum(one.get(name, 0.0) for one in times) / len(times) for name in names}


def summary(stages: Times, networks: Times, frames: int) -> dict[str, Any]:
    """Return the figures of the frames; all but the networks is overhead."""
    total, inference = sum(stages.values()), sum(networks.values())
    beside = {name: ms - networks.get(name, 0.0) for name, ms in stages.items()}
    return {
        'frames': frames,
        'total_ms': total,
        'networks_ms': networks,
        'beside_networks_ms': beside,
        'share_beside_networks': 1 - inference / total,
    }


def table(result: dict[str, Any]) -> str:
    """Return the figures as lines of text."""
    frame = result['frame']
    lines = [f'{name:26} {ms:8.2f} ms' for name, ms in result['messages_ms'].items()]
    lines += ['', f'{"stage":10} {"networks":>12} {"beside them":>14}']
    for stage, ms in frame['beside_networks_ms'].items():
        lines.append(f'{stage:10} {frame["networks_ms"].get(stage, 0.0):9.2f} ms {ms:11.2f} ms')
    lines.append(
        f'{frame["share_beside_networks"]:.1%} of {frame["total_ms"]:.1f} ms are not inference '
        f'({frame["frames"]} images, load average {result["load_average"]:.1f})'
    )
    return '\n'.join(lines) + '\n'


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `diffpose benchmark node`."""
    compare.add_arguments(parser)
    parser.add_argument('--video', type=Path, help='default: the packaged clip, one person')
    parser.add_argument('--frames', type=count, default=100, help='images that count')
    parser.add_argument('--people', type=count, default=10, help='people in the messages')
    parser.add_argument('--threads', type=count, default=2)
    parser.add_argument(
        '--cpu-time',
        action='store_true',
        help='count CPU time, with one thread: for a machine that has other work',
    )


def run(args: argparse.Namespace) -> int:
    """Measure, write the JSON and the table."""
    threads = 1 if args.cpu_time else args.threads
    clock = time.process_time if args.cpu_time else time.perf_counter
    torch.set_num_threads(threads)
    with own_graph(), patch('time.perf_counter', clock):
        rclpy.init(signal_handler_options=SignalHandlerOptions.NO)
        try:
            result = {
                'clock': clock.__name__,
                'threads': threads,
                'people': args.people,
                'load_average': os.getloadavg()[0],
                'messages_ms': message_costs(args.people),
                'frame': frame_costs(args.video or find_shared(DEMO_CLIP), args.frames),
            }
        finally:
            rclpy.try_shutdown()
    sys.stdout.write(table(result))
    compare.write_and_compare(result, args)
    return 0
