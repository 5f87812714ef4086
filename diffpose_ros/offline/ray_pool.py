"""Workers on a Ray cluster: one set of networks each, restarted when they die."""

import os

from diffpose_ros.offline.jobs import MakePipeline, Outcome, Settings, Task, Worker
from tqdm import tqdm

RETRIES = 3  # of a worker that dies, and of what it was doing


class RayPool:
    """
    Workers on the cluster at an address ('local' = this machine alone, 'auto' = the one it is in).

    Inputs and outputs lie where all its machines see them under the same path. A worker takes one
    GPU where the cluster has any, else as many CPUs as the settings have threads.
    """

    def __init__(
        self,
        make_pipeline: MakePipeline,
        settings: Settings,
        bar: tqdm,
        address: str,
        workers: int | None,
    ) -> None:
        os.environ.setdefault('RAY_USAGE_STATS_ENABLED', '0')  # it would report to its makers
        try:
            import ray
            from ray.util import ActorPool
        except ImportError as error:
            raise ValueError('Ray is not installed; pip install ray') from error
        ray.init(address=address, ignore_reinit_error=True)
        self._bar = bar
        there = ray.cluster_resources()
        gpus, cpus = int(there.get('GPU', 0)), int(there.get('CPU', 1))
        most = gpus or cpus // settings.threads
        self.room = workers or most
        if not 1 <= self.room <= most:  # one without a place would wait for ever
            raise ValueError(
                f'the cluster has room for {most} workers of {settings.threads} threads, not for '
                f'{self.room}; set --workers or OMP_NUM_THREADS to less'
            )
        actor = ray.remote(Worker).options(
            num_gpus=min(1, gpus),
            num_cpus=0 if gpus else settings.threads,
            max_restarts=RETRIES,
            max_task_retries=RETRIES,
        )
        self._pool = ActorPool([actor.remote(make_pipeline, settings) for _ in range(self.room)])

    def submit(self, task: Task) -> None:
        """Hand a task to the next free worker."""
        self._pool.submit(lambda actor, task: actor.do.remote(task, no_tick), task)

    def next(self) -> Outcome:
        """Wait for any task to end."""
        outcome = self._pool.get_next_unordered()
        self._bar.update(outcome.images)
        return outcome


def no_tick() -> None:
    """Count nothing: the bar is on another machine."""
