"""
`diffpose benchmark graph`: the whole node under load, in the terms of NVIDIA's ros2_benchmark.

    player --a rendered clip at a steady rate--> node --skeletons--> here

Player and node are processes of their own, all on this machine. The peak is the fastest play of
which less than 5 % of the images stay unanswered, found by bisection. Latency is the time from the
stamp of an image, when it was sent, to the reception of its skeletons; jitter is by how much it
differs between one answer and the next.
"""

import argparse
from collections.abc import Callable, Iterator
from contextlib import contextmanager, ExitStack
import hashlib
import json
import os
from pathlib import Path
import platform
import sys
import tempfile
import time
from typing import Any

from diffpose_ros.core.arguments import positive
from diffpose_ros.core.clip import to_ns
from diffpose_ros.core.share import DEMO_CLIP, find_shared
from diffpose_ros.evaluate import compare
from diffpose_ros.msg import SkeletonArray
from diffpose_ros.offline.calibration import calibration_beside
from diffpose_ros.offline.recording import SKELETONS_TOPIC
from diffpose_ros.offline.summary import percentiles
from diffpose_ros.offline.video import VideoReader
from diffpose_ros.ros.diagnostics import connections
from diffpose_ros.ros.processes import (
    Child,
    NODE_MODULE,
    own_graph,
    QUIET_S,
    START_S,
    usage,
)
from diffpose_ros.ros.topics import SKELETONS
import numpy as np
import rclpy
from rclpy.executors import SingleThreadedExecutor
from rclpy.serialization import deserialize_message
from std_msgs.msg import Header

MAX_LOSS = 0.05
LOWEST_HZ, PRECISION = 1.0, 1.1  # of the search; it ends when two rates differ by less
DEPTH = 1000  # answers that may wait for us

Figures = dict[str, Any]


class Bench:
    """A node at work in a process of its own, and who shows it the clip and hears its answers."""

    def __init__(self, folder: Path, domain: int, seconds: float) -> None:
        self._folder, self._seconds = folder, seconds
        self._clip = VideoReader(find_shared(DEMO_CLIP))
        self._heard_ns: dict[int, int] = {}  # reception by stamp
        self._context = rclpy.Context()
        rclpy.init(context=self._context, domain_id=domain)
        self._listener = rclpy.create_node('benchmark', context=self._context)
        self._listener.create_subscription(
            SkeletonArray, SKELETONS_TOPIC, self._hear, DEPTH, raw=True
        )
        self._executor = SingleThreadedExecutor(context=self._context)
        self._executor.add_node(self._listener)
        self._node = Child('the node', NODE_MODULE, [], folder / 'node.log')

    def play(self, rate_hz: float) -> Figures:
        """Show the clip at this rate; ChildProcessError when a process fails."""
        stamps = self._folder / 'stamps.json'
        stamps.unlink(missing_ok=True)
        self._heard_ns.clear()
        player = self._player(rate_hz, stamps)
        try:
            self._spin_until(lambda: bool(self._heard_ns) or player.ended(), START_S)
            began, before = time.monotonic(), usage(self._node.pid)
            self._spin_until(player.ended, START_S + 2 * self._seconds)
            sent_ns = json.loads(stamps.read_text())
            self._spin_until(lambda: sent_ns[-1] in self._heard_ns, QUIET_S)
        finally:
            player.stop()
        after, passed_s = usage(self._node.pid), time.monotonic() - began
        cpu_s = after['cpu_s'] - before['cpu_s']
        return {
            'asked_hz': round(rate_hz, 2),
            **figures(sent_ns, self._heard_ns),
            'cpu_cores': round(cpu_s / passed_s, 2),
            'cpu_ms_per_answer': round(1000 * cpu_s / max(1, len(self._heard_ns) - 1), 1),
            'rss_mb': round(after['rss_mb'], 1),
            'load_average': round(os.getloadavg()[0], 1),
        }

    def close(self) -> None:
        """End the node."""
        self._node.stop()
        self._executor.shutdown()
        self._listener.destroy_node()
        self._context.try_shutdown()

    def _player(self, rate_hz: float, stamps: Path) -> Child:
        clip = self._clip
        speed = ['--rate', str(rate_hz / clip.fps), '--seconds', str(self._seconds)]
        source = ['--video', str(clip.path), '--camera', str(calibration_beside(clip.path))]
        arguments = [*source, *speed, '--counts', *connections(SKELETONS), '--stamps', str(stamps)]
        log = self._folder / 'player.log'
        return Child('the player', 'diffpose_ros.ros.player', arguments, log)

    def _spin_until(self, done: Callable[[], bool], patience_s: float) -> None:
        deadline = time.monotonic() + patience_s
        while not done() and time.monotonic() < deadline:
            self._node.expect_alive()
            self._executor.spin_once(timeout_sec=0.1)

    def _hear(self, cdr: bytes) -> None:
        now_ns = time.time_ns()
        self._heard_ns[to_ns(deserialize_message(cdr, Header).stamp)] = now_ns


def figures(sent_ns: list[int], heard_ns: dict[int, int]) -> Figures:
    """Return what a play shows; sent_ns are stamps, heard_ns the times of reception by stamp."""
    answered = [stamp for stamp in sent_ns if stamp in heard_ns]
    latency_ms = [(heard_ns[stamp] - stamp) / 1e6 for stamp in answered]
    jitter_ms = np.abs(np.diff(latency_ms)).tolist()
    missed = len(sent_ns) - len(answered)
    return {
        'sent_hz': rate_of(sent_ns),
        'frame_rate_hz': rate_of([heard_ns[stamp] for stamp in answered]),
        'sent': len(sent_ns),
        'missed': missed,
        'loss': round(missed / len(sent_ns), 4),
        'latency_ms': spread(latency_ms),
        'jitter_ms': spread(jitter_ms),
    }


def rate_of(times_ns: list[int]) -> float:
    """Return how many events there are per second."""
    span_s = (times_ns[-1] - times_ns[0]) / 1e9 if times_ns else 0.0
    return round((len(times_ns) - 1) / span_s, 2) if span_s > 0 else 0.0


def spread(values: list[float]) -> dict[str, float | None]:
    """Return median, 95th percentile and maximum; None where there is nothing."""
    return {**percentiles(values), 'max': round(max(values), 2) if values else None}


def fastest(play: Callable[[float], Figures], highest_hz: float) -> Figures | None:
    """Return the figures of the fastest play that loses little; None where all lose more."""
    best, low, high, rate = None, LOWEST_HZ, highest_hz, highest_hz
    while high / low > PRECISION:
        played = play(rate)
        if played['loss'] < MAX_LOSS:
            best, low = played, rate
        else:
            high = rate
        rate = (low * high) ** 0.5
    return best


@contextmanager
def bench(seconds: float) -> Iterator[Bench]:
    """Yield a bench in a graph of its own."""
    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix='diffpose_benchmark_'))
        opened = Bench(Path(folder), stack.enter_context(own_graph()), seconds)
        stack.callback(opened.close)
        yield opened


def describe() -> dict[str, Any]:
    """Return what the figures hold for: the clip, byte for byte, and the machine."""
    clip = find_shared(DEMO_CLIP)
    return {
        'clip': {'path': DEMO_CLIP, 'sha256': hashlib.sha256(clip.read_bytes()).hexdigest()},
        'machine': {'processor': platform.machine(), 'cores': os.cpu_count()},
    }


def table(plays: dict[str, Figures | None]) -> str:
    """Return the figures for a terminal."""
    lines = [
        f'  {"":<8} {"frames/s":>8} {"loss":>6} {"p50 ms":>8} {"p95 ms":>8} {"max ms":>8} '
        f'{"jitter":>8} {"cores":>6} {"MB":>6} {"load":>6}'
    ]
    for name, f in plays.items():
        if f is None:
            lines.append(f'  {name:<8} at no rate are less than {MAX_LOSS:.0%} lost')
            continue
        times = [*f['latency_ms'].values(), f['jitter_ms']['p50']]
        cells = ' '.join(f'{"-" if t is None else t:>8}' for t in times)
        lines.append(
            f'  {name:<8} {f["frame_rate_hz"]:>8} {f["loss"]:>6.1%} {cells} '
            f'{f["cpu_cores"]:>6} {f["rss_mb"]:>6.0f} {f["load_average"]:>6}'
        )
    return '\n'.join(lines)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `diffpose benchmark graph`."""
    compare.add_arguments(parser)
    parser.add_argument('--seconds', type=positive, default=10.0, help='length of a play')
    parser.add_argument('--rates', type=positive, nargs='*', default=[10.0, 30.0, 60.0])
    parser.add_argument('--highest', type=positive, default=120.0, help='Hz, where to search')


def run(args: argparse.Namespace) -> int:
    """Search the peak and measure the rates asked for; ChildProcessError when a process fails."""
    with bench(args.seconds) as opened:
        plays = {'peak': fastest(opened.play, args.highest)}
        plays |= {f'{rate:g} Hz': opened.play(rate) for rate in args.rates}
    sys.stdout.write(table(plays) + '\n')
    compare.write_and_compare({**describe(), 'seconds': args.seconds, **plays}, args)
    return 0
