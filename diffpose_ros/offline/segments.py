"""
Long recordings in segments: the units of work that may run anywhere and in any order.

A segment is SEGMENT_S of the recording. It starts with a pipeline that knows nobody, WARM_UP_S
earlier, so that windows are full and tracks confirmed when it begins; what the warm-up gives is
only used to know the people again. It is shown up to LOOK_AHEAD_S more, so that the windows of its
last images are full as well. All lengths are constants, not options: so results depend on
the recording, the seed and the device, and not on how the work was spread or interrupted. At a
seam they may differ from those of one uninterrupted run, because crops and the rhythm of the
detector carry on from all of the past.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import takewhile, tee

from diffpose_ros.core.clip import NANOSECONDS
from diffpose_ros.core.likeness import assign
from diffpose_ros.core.people import corners_of, Frame, FrameResult, overlaps, Person
from diffpose_ros.core.pipeline import no_stage, PosePipeline, Stage
from diffpose_ros.core.tracker import MIN_IOU
from diffpose_ros.offline.stage_times import fetched, StageTimes

SEGMENT_S = 30
WARM_UP_S = 2  # the lifter looks 0.43 s back, a track outlives 0.5 s without its person
LOOK_AHEAD_S = 1  # the lifter looks 0.45 s ahead, and the 2D estimator two images beyond
END_OF_TIME_NS = 2**63 - 1


@dataclass(frozen=True)
class Segment:
    """Images from start_ns to before stop_ns on the clock of the recording."""

    index: int
    start_ns: int
    stop_ns: int

    @property
    def warm_up_ns(self) -> int:
        """Where to start, so that the segment finds a warm pipeline."""
        return self.start_ns - WARM_UP_S * NANOSECONDS

    @property
    def look_ahead_ns(self) -> int:
        """Where to stop, so that the last image is seen in its future, too."""
        return min(self.stop_ns + LOOK_AHEAD_S * NANOSECONDS, END_OF_TIME_NS)


@dataclass(frozen=True)
class Answer:
    """
    What the pipeline says about one image.

    time_ns    place of the image in the recording
    size       (width, height) of the image in pixels
    stages_ms  time by stage; empty: not measured
    """

    time_ns: int
    size: tuple[int, int]
    result: FrameResult
    stages_ms: dict[str, float] = field(default_factory=dict)

    def is_of(self, time_ns: int, stamp_ns: int) -> bool:
        """Say whether this is about the image of that place and stamp."""
        return (self.time_ns, self.result.stamp_ns) == (time_ns, stamp_ns)


def cut(start_ns: int, end_ns: int) -> list[Segment]:
    """Return the segments of a recording; the last has no end, should the length be a guess."""
    starts = range(start_ns, max(end_ns, start_ns + 1), SEGMENT_S * NANOSECONDS)
    stops = [*starts[1:], END_OF_TIME_NS]
    return [Segment(i, *span) for i, span in enumerate(zip(starts, stops, strict=True))]


def process(
    pipeline: PosePipeline,
    frames: Iterable[tuple[int, Frame]],
    segment: Segment,
    tick: Callable[[], object],
    timing: bool = False,
) -> list[Answer]:
    """
    Return the answers of a segment, before them that of the last image of the warm-up, if any.

    frames  place in the recording in ns and image, from the warm-up to the end of the look-ahead
    tick    is called after every image of the segment
    timing  measure the stages of every image
    """
    pipeline.reset()
    answers: list[Answer] = []
    times = StageTimes()
    stage: Stage = times.stage if timing else no_stage
    places, shown = tee(fetched(frames, stage))
    results = pipeline.follow((frame for _, frame in shown), stage)
    wanted = takewhile(lambda place: place[0] < segment.stop_ns, places)
    for (time_ns, frame), result in zip(wanted, results, strict=False):
        if time_ns < segment.start_ns:
            answers.clear()
        height, width = frame.image.shape[:2]
        answers.append(Answer(time_ns, (width, height), result, times.next()))
        if time_ns >= segment.start_ns:
            tick()
    return answers


@dataclass(frozen=True)
class Name:
    """Who somebody of a segment is in the whole recording, and how much longer known."""

    track_id: str
    older_s: float

    def give(self, person: Person) -> Person:
        """Return the person under this name."""
        return replace(person, track_id=self.track_id, age_s=person.age_s + self.older_s)


class Seams:
    """Gives a person one id through all segments; ids are numbered as people appear."""

    def __init__(self) -> None:
        self._born = 0
        self._last: Answer | None = None  # renamed

    def join(self, answers: Sequence[Answer], segment: Segment) -> Iterator[Answer]:
        """Yield the answers of the next segment, people renamed, without the warm-up."""
        warm_up = [answer for answer in answers if answer.time_ns < segment.start_ns]
        names = self._recognise(warm_up)
        carried = {name.track_id for name in names.values()}
        gone = [p.track_id for p in self._shown() if p.track_id not in carried]
        for answer in answers[len(warm_up) :]:
            people = tuple(self._name(p.track_id, names).give(p) for p in answer.result.people)
            lost = (*gone, *(names[i].track_id for i in answer.result.lost if i in names))
            gone.clear()
            self._last = replace(answer, result=replace(answer.result, people=people, lost=lost))
            yield self._last

    def _shown(self) -> tuple[Person, ...]:
        return self._last.result.people if self._last else ()

    def _recognise(self, warm_up: Sequence[Answer]) -> dict[str, Name]:
        """Pair the people of the last image with those that the warm-up saw in the same image."""
        if not self._last or not warm_up or warm_up[-1].time_ns != self._last.time_ns:
            return {}
        before, now = self._shown(), warm_up[-1].result.people
        iou, _ = overlaps(corners_of(p.box for p in before), corners_of(p.box for p in now))
        pairs = assign(iou, MIN_IOU)
        return {
            now[j].track_id: Name(before[i].track_id, before[i].age_s - now[j].age_s)
            for i, j in pairs.items()
        }

    def _name(self, track_id: str, names: dict[str, Name]) -> Name:
        """Return the name of somebody; a stranger gets the next number."""
        if track_id not in names:
            self._born += 1
            names[track_id] = Name(f'b{self._born:04d}', 0.0)
        return names[track_id]
