"""The report of a recording: reads the bag that `diffpose bag` or the recorder wrote."""

import argparse
from collections.abc import Iterator
from pathlib import Path

from diffpose_ros.offline.bag import open_bag
from diffpose_ros.offline.draw import Moment
from diffpose_ros.offline.options import output
from diffpose_ros.offline.recording import read_recording, Recording
from diffpose_ros.offline.report import write_report
from diffpose_ros.offline.rerun_log import rerun_sdk, write_rerun
from diffpose_ros.ros.bag_job import choose, IMAGES, read, stamp_of
from diffpose_ros.ros.images import to_rgb


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `diffpose report`."""
    parser.add_argument('bag', type=Path, help='recording that holds skeletons')
    parser.add_argument('-o', '--out', type=Path, required=True, help='the .html file to write')
    parser.add_argument('--topic', help='of the images; default: the only one there is')
    parser.add_argument(
        '--rerun', action='store_true', help="also a recording for Rerun's viewer, as OUT.rrd"
    )


def run(args: argparse.Namespace) -> int:
    """Write the report; return the exit code."""
    if args.rerun:
        rerun_sdk()
    out = output(args.out, '.html', args.bag)
    recording = read_recording(args.bag)
    topic = image_topic(args.bag, args.topic)
    if args.rerun and topic is None:
        raise ValueError(f'{args.bag} holds no images, which --rerun needs; leave it out')
    write_report(out, recording, moments(args.bag, topic, recording) if topic else None)
    if args.rerun and topic:
        path = out.with_suffix('.rrd')
        write_rerun(path, moments(args.bag, topic, recording), recording.skeleton)
    return 0


def image_topic(bag: Path, topic: str | None) -> str | None:
    """Return the topic of the images, None where the recording has none; ValueError lists them."""
    with open_bag(bag) as reader:
        if topic is None and not any(c.msgtype in IMAGES for c in reader.connections):
            return None
        return choose(reader, topic, set(IMAGES), 'image', '--topic').topic


def moments(bag: Path, topic: str, recording: Recording) -> Iterator[Moment]:
    """
    Yield the images with an answer; seconds count from the first answer.

    Where the clock of the camera went back, images are left out until it is later than before.
    """
    answered = {frame.result.stamp_ns: frame.result.people for frame in recording.frames}
    start_ns, last_ns = min(answered), -1
    with open_bag(bag) as reader:
        chosen = [c for c in reader.connections if c.topic == topic]
        for connection, time_ns, cdr in reader.messages(chosen):
            try:
                msg = read(cdr, IMAGES[connection.msgtype])
                stamp_ns = stamp_of(msg.header, time_ns)
                if not (stamp_ns in answered and stamp_ns > last_ns):
                    continue
                image = to_rgb(msg)
            except ValueError:  # bag_job told of it
                continue
            last_ns = stamp_ns
            yield (stamp_ns - start_ns) / 1e9, image, answered[stamp_ns]
