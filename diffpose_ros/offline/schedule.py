"""Who does what next: the tasks of many jobs, a few handed out at a time."""

from collections import deque
from collections.abc import Iterable, Iterator
from typing import Protocol

from diffpose_ros.core.device import pick_device
from diffpose_ros.offline.jobs import Job, MakePipeline, Outcome, Settings, Task, Worker
from tqdm import tqdm


class Pool(Protocol):
    """Workers; room is how many tasks they may hold at once."""

    room: int

    def submit(self, task: Task) -> None:
        """Hand a task to whoever is free next."""

    def next(self) -> Outcome:
        """Wait for any task to end."""


class Here:
    """The pool of one worker, in this process."""

    room = 1

    def __init__(self, make_pipeline: MakePipeline, settings: Settings, bar: tqdm) -> None:
        self._worker, self._bar = Worker(make_pipeline, settings), bar
        self._task: Task | None = None

    def submit(self, task: Task) -> None:
        """Take the task."""
        self._task = task

    def next(self) -> Outcome:
        """Do the task."""
        assert self._task
        return self._worker.do(self._task, self._bar.update)


class Schedule:
    """Tasks in the order of the jobs; a job is finished as soon as its segments are done."""

    def __init__(self, jobs: Iterable[Job], bar: tqdm) -> None:
        self._jobs, self._bar = iter(jobs), bar
        self._ready: deque[Task] = deque()
        self._left: dict[Job, int] = {}  # segments, of the jobs that go on
        self.refused: deque[Outcome] = deque()  # of jobs that could not be started

    def take(self) -> Task | None:
        """Return what to do next, None when nothing can be done at present."""
        while not self._ready and (job := next(self._jobs, None)):
            try:
                self._start(job)
            except (ValueError, OSError) as error:
                self.refused.append(Outcome(Task(job, None), error=str(error)))
        return self._ready.popleft() if self._ready else None

    def done(self, outcome: Outcome) -> Outcome | None:
        """Take note; return the outcome when it ends a job, well or badly."""
        job = outcome.task.job
        if job not in self._left:  # ended badly before
            return None
        if outcome.error or outcome.task.segment is None:
            del self._left[job]
            self._ready = deque(task for task in self._ready if task.job != job)
            return outcome
        self._left[job] -= 1
        if not self._left[job]:
            self._ready.appendleft(Task(job, None))
        return None

    def _start(self, job: Job) -> None:
        todo = job.start()
        done = 1 - len(todo) / len(job.segments())
        known = round(done * job.recording.images)
        self._bar.initial += known  # not counted as speed
        self._bar.update(known)
        self._left[job] = len(todo)
        self._ready.extend([Task(job, segment) for segment in todo] or [Task(job, None)])


def run(jobs: Iterable[Job], pool: Pool, bar: tqdm) -> Iterator[Outcome]:
    """Do all jobs; yield the outcome of each as it ends."""
    schedule, handed_out = Schedule(jobs, bar), 0
    while True:
        while handed_out < pool.room and (task := schedule.take()):
            pool.submit(task)
            handed_out += 1
        while schedule.refused:
            yield schedule.refused.popleft()
        if not handed_out:
            return
        ended = schedule.done(pool.next())
        handed_out -= 1
        if ended:
            yield ended


def run_one(job: Job, make_pipeline: MakePipeline) -> None:
    """Do one job in this process with a progress bar; raise ValueError when it fails."""
    pick_device(job.settings.config.device)
    with tqdm(total=job.recording.images, unit='image') as bar:
        for outcome in run([job], Here(make_pipeline, job.settings, bar), bar):
            if outcome.error:
                raise ValueError(outcome.error)
