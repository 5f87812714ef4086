"""
Anytime inference: how much to compute per image so that its latency stays within a budget.

The controller has no clock. It is told what each image cost and answers with settings: rungs of a
ladder from one person at the least effort up to what is configured. It goes down at once and up
with patience.
"""

from collections import deque
from collections.abc import Mapping
from dataclasses import replace
import math
from statistics import median

from diffpose_ros.core.config import InferenceConfig, PipelineConfig
from diffpose_ros.core.people import FrameResult, InferenceInfo
from diffpose_ros.video2d.estimator import VideoEstimator
import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import nnls

EFFORT = ('steps', 'ensembles', 'lift_steps', 'hypotheses')
STAGES = ('pose2d', 'lift3d')  # their cost depends on the effort
WINDOW = 40  # images that the percentile is about
SAMPLES = 9  # images whose median is the cost of one workload
HALF_LIFE = 50  # images after which the cost of a workload not met again counts half
HARDLY_MORE = 1.1  # times the least cost, for which nothing is cut
ROOM = 0.85  # share of the budget that a new choice may fill
PATIENCE = 8  # images for which more must have fitted before more is tried
MOST_PATIENCE = 64  # it doubles whenever a raise has to be taken back

Floats = NDArray[np.float64]


def ladder(config: PipelineConfig) -> list[PipelineConfig]:
    """Return settings of rising effort; the last is the configuration itself."""
    efforts = rising_efforts(config.inference)
    crowds = range(1, config.max_people)
    few = [replace(config, inference=efforts[0], max_people=people) for people in crowds]
    return few + [replace(config, inference=effort) for effort in efforts]


def rising_efforts(full: InferenceConfig) -> list[InferenceConfig]:
    """
    Return efforts from 1 of everything on; all settings grow together, one at a time.

    The window comes last: it brings least. So whatever is cut, the newest image is seen alone.
    Hypotheses of one step are one pose, computed once.
    """
    efforts = [replace(full, window=1, **dict.fromkeys(EFFORT, 1))]
    most = max(getattr(full, name) for name in EFFORT)
    for level in range(1, most + 1):
        for name in EFFORT:
            share = math.ceil(level * getattr(full, name) / most)
            if name != 'hypotheses' or efforts[-1].lift_steps > 1:
                efforts.append(replace(efforts[-1], **{name: share}))
    return list(dict.fromkeys([*efforts, full]))


def work(info: InferenceConfig | InferenceInfo) -> tuple[int, int]:
    """Return the passes per person through the networks of STAGES; of 2D also those of images."""
    images = info.window * VideoEstimator.views(info.ensembles)
    return images + info.steps * info.ensembles, info.lift_steps * info.hypotheses


def with_cuts(result: FrameResult, used: PipelineConfig, wanted: PipelineConfig) -> FrameResult:
    """Return the result with the bit BUDGET if less was computed than wanted."""
    degraded = result.info.degraded
    fewer_people = used.max_people < wanted.max_people and 'PEOPLE_CUT' in degraded
    if used.inference == wanted.inference and not fewer_people:
        return result
    return replace(result, info=replace(result.info, degraded=degraded | {'BUDGET'}))


class StageCost:
    """
    Milliseconds of a stage, learned: a + b people + c work + d people work, none below 0.

    Each workload counts with the median of its last times, older ones less.
    """

    def __init__(self) -> None:
        self._times: dict[tuple[int, int], deque[float]] = {}  # by people and work
        self._age: dict[tuple[int, int], int] = {}
        self._coefficients = np.zeros(4)

    def learn(self, people: int, work: int, spent_ms: float) -> None:
        """Take in what one image cost."""
        load = (people, work)
        self._age = {known: age + 1 for known, age in self._age.items()} | {load: 0}
        self._times.setdefault(load, deque(maxlen=SAMPLES)).append(spent_ms)
        for forgotten in [known for known, age in self._age.items() if age > 6 * HALF_LIFE]:
            del self._age[forgotten], self._times[forgotten]
        self._fit()

    def predict(self, people: ArrayLike, work: ArrayLike) -> Floats:
        """Return the milliseconds that so many people and so much work would cost."""
        return _terms(np.asarray(people), np.asarray(work)) @ self._coefficients

    def _fit(self) -> None:
        people, work = np.array(list(self._times)).T
        weights = np.array([0.5 ** (self._age[load] / HALF_LIFE) for load in self._times])
        times = np.array([median(spent) for spent in self._times.values()])
        # What the data leave open, such as the shares after one load, is spread over the terms.
        terms = np.concatenate([_terms(people, work) * weights[:, None], 1e-3 * np.eye(4)])
        self._coefficients, _ = nnls(terms, np.concatenate([times * weights, np.zeros(4)]))


class BudgetController:
    """Chooses the settings of the next image from the times of those before."""

    def __init__(self) -> None:
        self._costs = {stage: StageCost() for stage in STAGES}
        self._spent: deque[tuple[float, ...]] = deque(maxlen=WINDOW)  # people, works, total_ms
        self._crowded = False
        self._config: PipelineConfig | None = None
        self._ladder: list[PipelineConfig] = []
        self._limits: Floats = np.zeros(0)  # of people, per rung
        self._works: tuple[Floats, ...] = ()  # of the stages, per rung
        self._rung = 0
        self._waited = 0  # images for which more would have fitted
        self._patience = PATIENCE
        self._trial: int | None = None  # images since a raise that may prove too much

    def learn(self, result: FrameResult, stages_ms: Mapping[str, float], total_ms: float) -> None:
        """Take in what an image cost: the stages, and everything from reception to sending."""
        if self._config is None:
            return
        people, works = len(result.people), work(result.info)
        self._crowded = 'PEOPLE_CUT' in result.info.degraded
        self._spent.append((people, *works, total_ms))
        if people:
            for stage, passes in zip(STAGES, works, strict=True):
                self._costs[stage].learn(people, passes, stages_ms.get(stage, 0.0))

    def choose(self, config: PipelineConfig) -> PipelineConfig:
        """Return the configuration, cut to what its budget allows."""
        budget_ms = config.inference.budget_ms
        if budget_ms == 0:
            self._config = None
            return config
        if config != self._config:
            self._take(config)
        somebody = bool(self._spent and self._spent[-1][0])  # whose cost can be told
        if somebody and len(self._spent) >= PATIENCE:  # the first images may be slow
            self._move(budget_ms)
        return self._ladder[self._rung]

    def _take(self, config: PipelineConfig) -> None:
        """Begin with the least effort for everybody, or stay about where we are."""
        first = self._config is None
        self._config, self._ladder = config, ladder(config)
        self._limits = np.array([rung.max_people for rung in self._ladder], float)
        self._works = tuple(np.array([work(rung.inference) for rung in self._ladder], float).T)
        self._rung = config.max_people - 1 if first else min(self._rung, len(self._ladder) - 1)

    def _move(self, budget_ms: float) -> None:
        latencies = self._latencies_ms()
        highest = _highest(latencies, budget_ms)
        goal = min(highest, _highest(latencies, ROOM * budget_ms))
        self._judge_raise(failed=highest < self._rung)
        self._waited = self._waited + 1 if goal > self._rung else 0
        if highest < self._rung:
            self._rung = goal
        elif self._waited > self._patience:
            self._rung += math.ceil((goal - self._rung) / 2)
            self._waited, self._trial = 0, 0

    def _judge_raise(self, *, failed: bool) -> None:
        """Be more patient after a raise that had to be taken back."""
        if self._trial is None:
            return
        self._trial += 1
        if failed:
            self._patience, self._trial = min(2 * self._patience, MOST_PATIENCE), None
        elif self._trial > WINDOW:
            self._patience, self._trial = PATIENCE, None

    def _latencies_ms(self) -> list[Floats]:
        """Return for every rung the 95th percentile of the latency, and the median."""
        people, *works, total_ms = np.array(self._spent).T
        rest = np.percentile(total_ms - self._predict(people, *works), (95, 50), method='higher')
        present = self._limits[-1] if self._crowded else people[-1]
        model = self._predict(np.minimum(self._limits, present), *self._works)
        return [model + fixed for fixed in rest]

    def _predict(self, people: Floats, *works: Floats) -> Floats:
        costs = (self._costs[stage] for stage in STAGES)
        return sum(
            (cost.predict(people, passes) for cost, passes in zip(costs, works, strict=True)),
            np.zeros(len(people)),
        )


def _terms(people: NDArray, work: NDArray) -> Floats:
    """Return 1, people, work, people x work along a last axis; all 0 where nobody is."""
    one = np.ones_like(people)
    return np.stack([one, people, work, people * work], axis=-1) * (people > 0)[..., None]


def _highest(latencies_ms: list[Floats], limit_ms: float) -> int:
    """
    Return the highest rung whose 95th percentile is within the limit.

    Where not even that of the lowest is, the median counts: cutting does not help against hiccups
    that are rare and long. Where that is not either, the highest that costs hardly more than the
    lowest: people are not given up for nothing.
    """
    for latency in latencies_ms:
        fits = np.flatnonzero(latency <= limit_ms)
        if fits.size:
            return int(fits[-1])
    return int(np.flatnonzero(latency <= HARDLY_MORE * latency[0])[-1])
