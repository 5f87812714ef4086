"""
Recordings to be processed: what a job is, what is already done of it, and who works on it.

    job -> segments -> parts (files beside the output) -> joined -> output

A part appears whole or not at all, and so does the output: work that was interrupted, killed or
done twice never shows. The same worker runs in this process and as a Ray actor.
"""

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from functools import cached_property
import gzip
import hashlib
import json
from pathlib import Path
import shutil
from typing import Any, Protocol

from diffpose_ros import __version__
from diffpose_ros.core.checkpoint import find_checkpoint
from diffpose_ros.core.config import PipelineConfig
from diffpose_ros.core.files import write_atomically
from diffpose_ros.core.people import Frame
from diffpose_ros.core.pipeline import DETECTOR, LIFTER, POSE2D, PosePipeline
from diffpose_ros.offline.results import from_json, to_json
from diffpose_ros.offline.segments import Answer, cut, process, Seams, Segment
import torch

MakePipeline = Callable[[PipelineConfig], PosePipeline]
Tick = Callable[[], object]


class Recording(Protocol):
    """
    Images to process and what is made of the answers; it can be sent to other processes.

    out       the file to write
    start_ns  begin on the recording's own clock
    end_ns    end, as far as it is known
    images    how many there are, as far as it is known
    timing    the answers say where the time went
    """

    out: Path
    start_ns: int
    end_ns: int
    images: int
    timing: bool

    def describe(self) -> dict[str, Any]:
        """Return what the answers depend on, in the terms of JSON."""

    def frames(self, start_ns: int, stop_ns: int) -> Iterator[tuple[int, Frame]]:
        """Yield place in the recording and image, from start_ns to before stop_ns."""

    def write(self, answers: Callable[[], Iterator[Answer]]) -> None:
        """Write the output, whole or not at all; answers() starts from the first image."""


@dataclass(frozen=True)
class Settings:
    """What the answers depend on besides the recording; threads change the last bits of sums."""

    config: PipelineConfig
    threads: int = field(default_factory=torch.get_num_threads)

    def describe(self) -> dict[str, Any]:
        """Return the settings and the hashes of the weights."""
        config, detector = self.config, self.config.detector
        names = [config.pose2d_model or POSE2D, config.lifter_model or LIFTER]
        if detector.source == 'embedded':
            names.append(detector.model or DETECTOR)
        files = [find_checkpoint(name) for name in names]
        if detector.source == 'transformers':  # of an id on the hub there is only the name
            files += sorted(path for path in Path(detector.model).glob('*') if path.is_file())
        hashes = [hashlib.sha256(path.read_bytes()).hexdigest() for path in files]
        return {'config': asdict(config), 'threads': self.threads, 'weights': hashes}


@dataclass(frozen=True)
class Job:
    """One recording under settings; its parts lie in a hidden folder beside the output."""

    recording: Recording
    settings: Settings

    @property
    def folder(self) -> Path:
        """Where the parts lie."""
        return self.recording.out.with_name(f'.{self.recording.out.name}.parts')

    def describe(self) -> dict[str, Any]:
        """Return all that the output depends on."""
        return {
            'version': __version__,
            'recording': self.recording.describe(),
            **self.settings.describe(),
        }

    def segments(self) -> list[Segment]:
        """Return all segments."""
        return cut(self.recording.start_ns, self.recording.end_ns)

    def start(self) -> list[Segment]:
        """Return the segments still to be processed; parts of another job are thrown away."""
        wanted = json.dumps(self.describe(), sort_keys=True).encode()
        stated = self.folder / 'job.json'
        if not stated.is_file() or stated.read_bytes() != wanted:
            shutil.rmtree(self.folder, ignore_errors=True)
            self.folder.mkdir(parents=True)
            write_atomically(stated, wanted)
        return [s for s in self.segments() if not self._part(s).is_file()]

    def keep(self, segment: Segment, answers: list[Answer]) -> None:
        """Write the part of a segment."""
        lines = ''.join(json.dumps(to_json(answer)) + '\n' for answer in answers)
        write_atomically(self._part(segment), gzip.compress(lines.encode(), mtime=0))

    def answers(self) -> Iterator[Answer]:
        """Yield the answers of all segments, joined."""
        seams = Seams()
        for segment in self.segments():
            lines = gzip.decompress(self._part(segment).read_bytes()).splitlines()
            yield from seams.join([from_json(json.loads(line)) for line in lines], segment)

    def finish(self) -> None:
        """Write the output and throw the parts away; a second time nothing is left to do."""
        if self.folder.is_dir():
            if next(self.answers(), None) is None:
                raise ValueError(f'no image for {self.recording.out.name} can be used; see above')
            self.recording.write(self.answers)
            done = self.folder.with_suffix('.done')
            shutil.rmtree(done, ignore_errors=True)  # an earlier run was killed here
            shutil.rmtree(self.folder.rename(done))

    def _part(self, segment: Segment) -> Path:
        return self.folder / f'{segment.index:06d}.jsonl.gz'


@dataclass(frozen=True)
class Task:
    """A segment of a job, or without one the finishing of the job."""

    job: Job
    segment: Segment | None


@dataclass(frozen=True)
class Outcome:
    """What became of a task: images processed; error is empty when it is done."""

    task: Task
    images: int = 0
    error: str = ''


class Worker:
    """Does tasks, one after the other, with one set of networks."""

    def __init__(self, make_pipeline: MakePipeline, settings: Settings) -> None:
        self._make_pipeline, self._settings = make_pipeline, settings

    def do(self, task: Task, tick: Tick) -> Outcome:
        """Do a task; what the user can fix is returned as the outcome."""
        try:
            if task.segment is not None:
                return Outcome(task, self._process(task.job, task.segment, tick))
            task.job.finish()
        except (ValueError, OSError) as error:
            return Outcome(task, error=str(error))
        return Outcome(task)

    def _process(self, job: Job, segment: Segment, tick: Tick) -> int:
        frames = job.recording.frames(segment.warm_up_ns, segment.look_ahead_ns)
        answers = process(self._pipeline, frames, segment, tick, job.recording.timing)
        job.keep(segment, answers)
        return sum(answer.time_ns >= segment.start_ns for answer in answers)

    @cached_property
    def _pipeline(self) -> PosePipeline:
        torch.set_num_threads(self._settings.threads)
        return self._make_pipeline(self._settings.config)
