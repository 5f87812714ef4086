"""
Bags: every image of a recording answered, the answers as messages beside the original topics.

The result depends on the bag, the seed and the device alone. So it holds FrameTiming, whose times
differ from run to run, on request only, and one calibration: the first CameraInfo of the bag. An
interrupted run goes on where it stopped: rerun the same command.
"""

import argparse
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
import logging
from pathlib import Path
from typing import Any

from diffpose_ros.core.clip import to_ns
from diffpose_ros.core.people import Frame
from diffpose_ros.core.pipeline import PosePipeline
from diffpose_ros.offline.bag import BagReader, BagWriter, open_bag
from diffpose_ros.offline.jobs import Job, MakePipeline
from diffpose_ros.offline.options import add_settings, file_state, output, settings
from diffpose_ros.offline.schedule import run_one
from diffpose_ros.offline.segments import Answer
from diffpose_ros.ros.bag_messages import Speaker, spoken
from diffpose_ros.ros.images import CameraSource, to_rgb
from rclpy.serialization import deserialize_message
from rosbags.interfaces import Connection
from sensor_msgs.msg import CameraInfo, CompressedImage, Image
from std_msgs.msg import Header

IMAGES = {'sensor_msgs/msg/Image': Image, 'sensor_msgs/msg/CompressedImage': CompressedImage}
CAMERA_INFO = 'sensor_msgs/msg/CameraInfo'
NOT_CALIBRATED = 'no camera_info beside the images; name its topic with --camera-info'

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class BagRecording:
    """
    A bag; its clock is that of the recorder, not that of the stamps.

    topic        of the images, sensor_msgs Image or CompressedImage
    camera_info  of their calibration, None = unknown
    rectified    the images were undistorted with this calibration
    timing       write where the time of every image went
    """

    bag: Path
    topic: str
    camera_info: str | None
    rectified: bool
    out: Path
    start_ns: int
    end_ns: int
    images: int
    timing: bool

    @classmethod
    def open(
        cls,
        bag: Path,
        topic: str | None,
        camera_info: str | None,
        rectified: bool,
        out: Path,
        timing: bool = False,
    ) -> 'BagRecording':
        """Check bag, topics and output; raise FileNotFoundError or ValueError."""
        if bag.resolve() in out.resolve().parents:  # whose files tell whether the bag changed
            raise ValueError(f'{out} lies in the bag; name an output outside')
        with open_bag(bag) as reader:
            images = choose(reader, topic, set(IMAGES), 'image', '--topic')
            if not images.msgcount:
                raise ValueError(f'{bag} holds no images on {images.topic}; give another bag')
            ours = {name for name, _, _ in spoken(timing)}
            held = sorted(ours & {c.topic for c in reader.connections})
            if held:
                raise ValueError(f'{bag} holds {held} already; give the original bag')
            if camera_info is None:
                camera_info = camera_info_beside(reader, images.topic)
            else:
                choose(reader, camera_info, {CAMERA_INFO}, 'CameraInfo', '--camera-info')
            span = (reader.start_time, reader.end_time, images.msgcount)
        return cls(bag.resolve(), images.topic, camera_info, rectified, out, *span, timing)

    def describe(self) -> dict[str, Any]:
        """Return the files of the bag, the topics and how they are understood."""
        files = sorted(self.bag.iterdir()) if self.bag.is_dir() else [self.bag]
        return {
            'files': [file_state(path) for path in files],
            'topics': [self.topic, self.camera_info],
            'rectified': self.rectified,
            'timing': self.timing,
        }

    def frames(self, start_ns: int, stop_ns: int) -> Iterator[tuple[int, Frame]]:
        """Yield time of reception and image; what cannot be decoded is passed over and told."""
        with open_bag(self.bag) as reader:
            cameras = self._cameras(reader)
            chosen = [c for c in reader.connections if c.topic == self.topic]
            for connection, time_ns, cdr in reader.messages(chosen, start_ns, stop_ns):
                try:
                    msg = read(cdr, IMAGES[connection.msgtype])
                    image = to_rgb(msg)
                except ValueError as error:
                    log.warning('%s: image at %d ns: %s', self.bag, time_ns, error)
                    continue
                size = (image.shape[1], image.shape[0])
                camera = cameras.camera(size, self.rectified)
                if cameras.problem:
                    warn_once(self.bag, cameras.problem if self.camera_info else NOT_CALIBRATED)
                yield time_ns, Frame(image, stamp_of(msg.header, time_ns), camera)

    def write(self, answers: Callable[[], Iterator[Answer]]) -> None:
        """Write the original messages, and behind every image what is said about it."""
        with open_bag(self.bag) as reader, BagWriter(self.out) as out:
            for connection in reader.connections:
                out.copy_topic(connection)
            speaker = Speaker(out, self.start_ns, self.timing)
            following, sequence = answers(), 0
            answer = next(following, None)
            for connection, time_ns, cdr in reader.messages():
                out.write(connection.topic, time_ns, cdr)
                if connection.topic == self.topic:
                    sequence += 1
                    header = header_of(cdr)
                    if answer and header and answer.is_of(time_ns, stamp_of(header, time_ns)):
                        speaker.say(answer, header, sequence)
                        answer = next(following, None)

    def _cameras(self, reader: BagReader) -> CameraSource:
        cameras = CameraSource()
        chosen = [c for c in reader.connections if c.topic == self.camera_info]
        first = next(reader.messages(chosen), None) if chosen else None
        if first:
            cameras.update(read(first[2], CameraInfo))
        return cameras


def stamp_of(header: Header, time_ns: int) -> int:
    """Return the stamp of an image in ns; where the camera sets none, the time of reception."""
    return to_ns(header.stamp) or time_ns


def header_of(cdr: bytes) -> Header | None:
    """Return the header with which an image begins; None where it is cut off."""
    try:
        return read(cdr, Header)
    except ValueError:
        return None


@cache
def warn_once(bag: Path, problem: str) -> None:
    """Tell what is wrong with the camera, not again with every segment of the recording."""
    log.warning('%s: 3D is relative to the hip: %s', bag, problem)


def read(cdr: bytes, kind: type) -> Any:
    """Return a message; ValueError where the bytes are none of that kind."""
    try:
        return deserialize_message(cdr, kind)
    except Exception as error:
        raise ValueError(f'not a valid {kind.__name__} message: {error}') from error


def choose(
    reader: BagReader, topic: str | None, kinds: set[str], what: str, option: str
) -> Connection:
    """Return the topic of that name or the only one of these types; ValueError lists them."""
    found = [c for c in reader.connections if c.msgtype in kinds and topic in (None, c.topic)]
    if len(found) == 1:
        return found[0]
    names = sorted(c.topic for c in reader.connections if c.msgtype in kinds)
    if not names:
        raise ValueError(f'{reader.path} has no {what} topic; give a bag that has')
    fault = f'no {what} topic {topic}' if topic else f'{len(found)} {what} topics'
    raise ValueError(f'{reader.path} has {fault}; set {option} to one of {names}')


def camera_info_beside(reader: BagReader, topic: str) -> str | None:
    """Return the CameraInfo topic next to an image topic, by ROS convention, if it exists."""
    camera = topic.removesuffix('/compressed').rpartition('/')[0]
    beside = f'{camera}/camera_info'
    found = [c for c in reader.connections if c.topic == beside and c.msgtype == CAMERA_INFO]
    return beside if found else None


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `diffpose bag`."""
    parser.add_argument('bag', type=Path, help='rosbag2: .mcap, .db3 or the folder of either')
    parser.add_argument('-o', '--out', type=Path, required=True, help='the .mcap file to write')
    add_topics(parser)
    add_settings(parser)


def add_topics(parser: argparse.ArgumentParser) -> None:
    """Declare which topics are read and written."""
    parser.add_argument('--topic', help='of the images; default: the only one there is')
    parser.add_argument('--camera-info', help='default: camera_info beside the images')
    parser.add_argument('--rectified', action='store_true', help='the images are undistorted')
    about = 'also write /diffpose/timing: wall times, which alone differ from run to run'
    parser.add_argument('--timing', action='store_true', help=about)


def run(args: argparse.Namespace, make_pipeline: MakePipeline = PosePipeline.from_config) -> int:
    """Process one bag; return the exit code."""
    out = output(args.out, '.mcap', args.bag)
    recording = BagRecording.open(
        args.bag, args.topic, args.camera_info, args.rectified, out, args.timing
    )
    run_one(Job(recording, settings(args)), make_pipeline)
    log.info('wrote %s', out)
    return 0
