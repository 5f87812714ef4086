"""
The demo: a video through the real graph, and what came out of it as files.

    player --image--> node --skeletons, markers, timing--> recorder --> skeletons.mcap
                                                                    --> overlay.mp4, summary.*
"""

import argparse
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
import json
from pathlib import Path
import signal
import sys
import tempfile
import time

from diagnostic_msgs.msg import DiagnosticArray
from diffpose_ros.core.arguments import positive
from diffpose_ros.core.camera import ASSUMED_FOV_DEG
from diffpose_ros.core.clip import to_ns
from diffpose_ros.core.files import write_json
from diffpose_ros.core.share import DEMO_CLIP, find_shared
from diffpose_ros.msg import FrameTiming
from diffpose_ros.offline.bag import BagWriter
from diffpose_ros.offline.calibration import calibration_beside, read_camera
from diffpose_ros.offline.draw import draw_overlay
from diffpose_ros.offline.plot3d import clarity, write_summary
from diffpose_ros.offline.recording import read_recording, RecordedFrame, Recording, TIMING_TOPIC
from diffpose_ros.offline.summary import summarise, table
from diffpose_ros.offline.video import VideoReader, VideoWriter
from diffpose_ros.ros.diagnostics import connections
from diffpose_ros.ros.processes import Child, NODE_MODULE, own_graph, QUIET_S, START_S
from diffpose_ros.ros.recorder import Recorder
from diffpose_ros.ros.spin import noted_signals
from diffpose_ros.ros.topics import DIAGNOSTICS, MARKERS, SKELETONS, TIMING
import numpy as np
from numpy.typing import NDArray
import rclpy
from rclpy.executors import SingleThreadedExecutor
from rclpy.serialization import deserialize_message
from tqdm import tqdm

CLIP_RATE = 0.5  # slow enough for two cores
OUTPUTS = ('skeletons.mcap', 'overlay.mp4', 'summary.png', 'summary.json')
DRAIN_S = 0.5  # after the last timing: what else belongs to that image


@dataclass(frozen=True)
class Job:
    """What to play and where to put the results."""

    video: VideoReader
    camera: Path | None
    rate: float
    out: Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `diffpose demo`."""
    parser.add_argument('--video', type=Path, help='any video file; default: the packaged clip')
    parser.add_argument(
        '--camera', type=Path, help='its calibration, ROS camera_info YAML; default: VIDEO.yaml'
    )
    parser.add_argument(
        '--rate', type=positive, help=f'speed; default 1, real time (packaged clip: {CLIP_RATE})'
    )
    parser.add_argument('--out', type=Path, default=Path('demo_out'), help='folder of the results')


def run(args: argparse.Namespace) -> int:
    """Run the demo; return the exit code."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    job = prepare(args)
    tell(describe(job))
    tell(demonstrate(job))
    return 0


def prepare(args: argparse.Namespace) -> Job:
    """Check the arguments before anything starts, and clear away the results of an earlier run."""
    clip = args.video is None
    video = VideoReader(find_shared(DEMO_CLIP) if clip else args.video)
    camera = args.camera or calibration_beside(video.path)
    if camera is not None:
        read_camera(camera, video.width, video.height)
    args.out.mkdir(parents=True, exist_ok=True)
    for name in OUTPUTS:
        (args.out / name).unlink(missing_ok=True)
    return Job(video, camera, args.rate or (CLIP_RATE if clip else 1.0), args.out)


def describe(job: Job) -> str:
    """Return what is going to be played."""
    video = job.video
    camera = (
        f'no calibration: a horizontal field of view of {ASSUMED_FOV_DEG:g} degrees is assumed, '
        'and 3D is relative to the hip, without distances'
        if job.camera is None
        else f'calibration {job.camera}'
    )
    return (
        f'{video.path}: {video.width}x{video.height}, about {video.frames} frames at '
        f'{video.fps * job.rate:g} per second ({job.rate:g}x)\n{camera}'
    )


def demonstrate(job: Job) -> str:
    """Play, record and draw; return the table of numbers."""
    stamps_ns = play_and_record(job)
    recording = read_recording(job.out / 'skeletons.mcap')
    if not recording.frames:
        raise ChildProcessError(f'the node processed no image; see {job.out / "node.log"}')
    draw(job, recording, stamps_ns)
    period_s = (stamps_ns[-1] - stamps_ns[0]) / 1e9 / max(1, len(stamps_ns) - 1)
    summary = summarise(recording, len(stamps_ns), period_s)
    write_json(job.out / 'summary.json', summary)
    files = '  '.join(str(job.out / name) for name in OUTPUTS)
    return f'\n{table(summary)}\n\n  {files}'


def play_and_record(job: Job) -> list[int]:
    """Run the graph until the video is over; return the stamps of all published images."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix='diffpose_demo_')))
        domain = stack.enter_context(own_graph())
        bag = stack.enter_context(BagWriter(job.out / 'skeletons.mcap'))
        node = Child('the node', NODE_MODULE, node_arguments(), job.out / 'node.log')
        stack.callback(node.stop)
        stamps = folder / 'stamps.json'
        log = job.out / 'player.log'
        player = Child('the player', 'diffpose_ros.ros.player', player_arguments(job, stamps), log)
        stack.callback(player.stop)
        bar = stack.enter_context(tqdm(total=job.video.frames, unit='frame', desc='starting'))
        watch(domain, bag, bar, node, player, stamps)
        return json.loads(stamps.read_text())


def node_arguments() -> list[str]:
    """Return the command line of the node: everything it can tell goes into the bag."""
    return ['--ros-args', '-p', 'publish_hypotheses:=true']


def player_arguments(job: Job, stamps: Path) -> list[str]:
    """Return the command line of the player."""
    camera = [] if job.camera is None else ['--camera', str(job.camera)]
    video = ['--video', str(job.video.path), '--rate', str(job.rate)]
    wait = ['--listeners', '2', '--counts', *connections(SKELETONS, MARKERS, TIMING)]
    return [*video, *camera, *wait, '--stamps', str(stamps)]


class Progress:
    """Follows the timing messages: what the bar shows, and when all is done."""

    def __init__(self, bar: tqdm) -> None:
        self.last_stamp_ns = 0
        self.last_heard_s = time.monotonic()
        self.started = False
        self.refused = False  # the node runs but could not be configured
        self._bar = bar
        self._processed = 0

    def listen(self, topic: str, cdr: bytes) -> None:
        """Take in a recorded message."""
        if topic == DIAGNOSTICS:
            states = deserialize_message(cdr, DiagnosticArray).status
            self.refused |= any(status.message.startswith('unconfigured') for status in states)
        elif topic == TIMING_TOPIC:
            timing = deserialize_message(cdr, FrameTiming)
            self.last_heard_s = time.monotonic()
            self.last_stamp_ns = to_ns(timing.header.stamp)
            self._show(timing)

    def quiet_s(self) -> float:
        """Return the seconds since the node last said something."""
        return time.monotonic() - self.last_heard_s

    def _show(self, timing: FrameTiming) -> None:
        if not self.started:
            self.started = True
            self._bar.reset()  # the rate counts from here
            self._bar.set_description('playing', refresh=False)
        self._processed += 1
        self._bar.n = max(self._bar.n, timing.frame_seq + 1)
        self._bar.set_postfix_str(f'processed {self._processed}, {timing.total_ms:.0f} ms')


def watch(
    domain: int, bag: BagWriter, bar: tqdm, node: Child, player: Child, stamps: Path
) -> None:
    """Record until the player has finished and the node has answered its last image."""
    context = rclpy.Context()
    rclpy.init(context=context, domain_id=domain)
    progress = Progress(bar)
    try:
        recorder = Recorder(bag, progress.listen, context=context)
        executor = SingleThreadedExecutor(context=context)
        executor.add_node(recorder)
        with noted_signals() as interrupted:
            for _ in until_done(progress, node, player, stamps):
                if interrupted():
                    raise KeyboardInterrupt
                executor.spin_once(timeout_sec=0.1)
        end_s = time.monotonic() + DRAIN_S
        while time.monotonic() < end_s:
            executor.spin_once(timeout_sec=0.1)
        executor.shutdown()
        recorder.destroy_node()
    finally:
        context.try_shutdown()


def until_done(progress: Progress, node: Child, player: Child, stamps: Path) -> Iterator[None]:
    """Yield until the last image is answered, or all is silent; ChildProcessError if one dies."""
    ended_s = None
    while True:
        node.expect_alive()
        if progress.refused:
            raise ChildProcessError(f'{node.name} could not start: {node.last_words(2)}')
        if player.ended():
            ended_s = ended_s or time.monotonic()
            last_ns = json.loads(stamps.read_text())[-1]
            quiet_s = min(progress.quiet_s(), time.monotonic() - ended_s)
            if progress.last_stamp_ns >= last_ns or quiet_s > QUIET_S:
                return
        elif not progress.started and progress.quiet_s() > START_S:
            raise ChildProcessError(
                f'the node processed no image in {START_S:.0f} s; see {node.log}'
            )
        yield


def draw(job: Job, recording: Recording, stamps_ns: list[int]) -> None:
    """Write the overlay, all processed frames at their time in the video, and the picture."""
    shown = {frame.result.stamp_ns: frame for frame in recording.frames}
    best = max(recording.frames, key=lambda frame: clarity(frame.result.people))
    out, video, skeleton = job.out, job.video, recording.skeleton
    with VideoWriter(out / 'overlay.mp4', video.width, video.height, video.fps) as writer:
        bar = tqdm(total=len(shown), unit='frame', desc='drawing')
        with bar:
            for time_s, image, frame in processed_images(video, stamps_ns, shown):
                writer.write(time_s, draw_overlay(image, frame.result.people, skeleton))
                if frame is best:
                    write_summary(out / 'summary.png', image, frame.result.people, skeleton)
                bar.update()


def processed_images(
    video: VideoReader, stamps_ns: list[int], shown: dict[int, RecordedFrame]
) -> Iterator[tuple[float, NDArray[np.uint8], RecordedFrame]]:
    """Yield time in the video, pixels and results of every processed frame."""
    unknown = set(shown) - set(stamps_ns)
    if unknown:
        raise RuntimeError(f'{len(unknown)} results are of images that the player never sent')
    for stamp_ns, (time_s, image) in zip(stamps_ns, video, strict=False):
        if stamp_ns in shown:
            yield time_s, image, shown[stamp_ns]


def tell(text: str) -> None:
    """Write to the terminal."""
    sys.stdout.write(text + '\n')
    sys.stdout.flush()
