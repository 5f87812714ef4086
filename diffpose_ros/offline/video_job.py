"""
Videos: people drawn into a copy, and on request everything known about them as files beside it.

An interrupted run goes on where it stopped: rerun the same command.
"""

import argparse
from collections.abc import Callable, Iterator
from dataclasses import dataclass
import logging
from pathlib import Path
from typing import Any

from diffpose_ros.core.clip import NANOSECONDS
from diffpose_ros.core.people import Frame
from diffpose_ros.core.pipeline import PosePipeline
from diffpose_ros.offline.calibration import calibration_beside, read_camera
from diffpose_ros.offline.draw import draw_overlay, Moment
from diffpose_ros.offline.jobs import Job, MakePipeline
from diffpose_ros.offline.options import add_settings, file_state, output, settings
from diffpose_ros.offline.plot3d import clarity, write_summary
from diffpose_ros.offline.rerun_log import rerun_sdk, write_rerun
from diffpose_ros.offline.results import write_csv, write_json
from diffpose_ros.offline.schedule import run_one
from diffpose_ros.offline.segments import Answer
from diffpose_ros.offline.video import VideoReader, VideoWriter

Answers = Callable[[], Iterator[Answer]]
SKELETON = PosePipeline.skeleton
WHOLE = 0.9  # share of the stated images that a whole video has; some only estimate them

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class VideoRecording:
    """
    A video; its clock starts with the first frame.

    camera  calibration file, None = unknown
    extras  endings of the files written beside the output: .json, .csv, .png, .rrd
    """

    video: Path
    camera: Path | None
    out: Path
    extras: frozenset[str]
    end_ns: int
    images: int
    start_ns: int = 0
    timing = False  # no output of a video tells it

    @classmethod
    def open(
        cls, video: Path, camera: Path | None, out: Path, extras: frozenset[str]
    ) -> 'VideoRecording':
        """Check video and calibration; raise FileNotFoundError or ValueError."""
        if '.rrd' in extras:
            rerun_sdk()
        reader = VideoReader(video)
        camera = camera or calibration_beside(video)
        if camera is not None:
            read_camera(camera, reader.width, reader.height)
        end_ns = round(reader.frames / reader.fps * NANOSECONDS)
        return cls(video.resolve(), camera, out, extras, end_ns, reader.frames)

    def describe(self) -> dict[str, Any]:
        """Return video and calibration."""
        camera = self.camera and file_state(self.camera)
        return {'video': file_state(self.video), 'camera': camera}

    def frames(self, start_ns: int, stop_ns: int) -> Iterator[tuple[int, Frame]]:
        """Yield time and image."""
        reader = VideoReader(self.video)
        camera = self.camera and read_camera(self.camera, reader.width, reader.height)
        for time_ns, image in reader.between(start_ns, stop_ns):
            yield time_ns, Frame(image, time_ns, camera)

    def write(self, answers: Answers) -> None:
        """Write the extras, then the video: when it is there, all is there."""
        if '.json' in self.extras:
            write_json(self.out.with_suffix('.json'), answers(), SKELETON)
        if '.csv' in self.extras:
            write_csv(self.out.with_suffix('.csv'), answers(), SKELETON)
        if '.png' in self.extras:
            self._plot(answers)
        if '.rrd' in self.extras:
            write_rerun(self.out.with_suffix('.rrd'), self._moments(answers), SKELETON)
        self._draw(answers)

    def _moments(self, answers: Answers) -> Iterator[Moment]:
        for (time_s, image), answer in zip(VideoReader(self.video), answers(), strict=True):
            yield time_s, image, answer.result.people

    def _draw(self, answers: Answers) -> None:
        reader = VideoReader(self.video)
        written = 0
        with VideoWriter(self.out, reader.width, reader.height, reader.fps) as writer:
            for time_s, image, people in self._moments(answers):
                writer.write(time_s, draw_overlay(image, people, SKELETON))
                written += 1
        if written < WHOLE * reader.frames:
            log.warning(
                '%s states some %d images; %d could be read', self.video, reader.frames, written
            )

    def _plot(self, answers: Answers) -> None:
        """Draw the image in which people are seen best."""
        best = max(answers(), key=lambda answer: clarity(answer.result.people))
        _, image = next(VideoReader(self.video).between(best.time_ns, None))
        write_summary(self.out.with_suffix('.png'), image, best.result.people, SKELETON)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `diffpose video`."""
    parser.add_argument('video', type=Path, help='any video file')
    parser.add_argument('-o', '--out', type=Path, required=True, help='the .mp4 file to write')
    parser.add_argument('--camera', type=Path, help='calibration; default: VIDEO.yaml beside it')
    for name, suffix, about in (
        ('json', '.json', 'everything known, as OUT.json'),
        ('csv', '.csv', 'one row per joint, as OUT.csv'),
        ('plot3d', '.png', 'the clearest image and its people in space, as OUT.png'),
        ('rerun', '.rrd', "a recording for Rerun's viewer, as OUT.rrd"),
    ):
        parser.add_argument(
            f'--{name}', dest='extras', action='append_const', const=suffix, help=about
        )
    add_settings(parser)


def run(args: argparse.Namespace, make_pipeline: MakePipeline = PosePipeline.from_config) -> int:
    """Process a video; return the exit code."""
    out, extras = output(args.out, '.mp4', args.video), frozenset(args.extras or ())
    for suffix in extras:
        for source in filter(None, (args.video, args.camera)):
            output(out.with_suffix(suffix), suffix, source)
    recording = VideoRecording.open(args.video, args.camera, out, extras)
    run_one(Job(recording, settings(args)), make_pipeline)
    files = [out, *(out.with_suffix(suffix) for suffix in sorted(extras))]
    log.info('wrote %s', ', '.join(str(path) for path in files))
    return 0
