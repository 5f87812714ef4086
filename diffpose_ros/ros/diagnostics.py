"""Health of the node: facts of the last seconds, and the two statuses made of them."""

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
import math
from pathlib import Path
import resource
import time

from diagnostic_msgs.msg import DiagnosticStatus, KeyValue
from diffpose_ros.core.config import NODE
from diffpose_ros.core.people import FrameResult
from diffpose_ros.offline.stage_times import STAGES
from diffpose_ros.ros.settings import DiagnosticsConfig
from diffpose_ros.ros.timing import Timing
from diffpose_ros.ros.topics import CAMERA_INFO, IMAGE
import numpy as np
import torch

SPAN_S = 10.0  # what is told is about the last ten seconds
TROUBLE_S = 2.0  # an error is told for so long

OK, WARN, ERROR = DiagnosticStatus.OK, DiagnosticStatus.WARN, DiagnosticStatus.ERROR
STALE = DiagnosticStatus.STALE
NO_PUBLISHER = ', which nobody publishes with a compatible QoS'
PUBLISHERS = 'publishers of '  # and a topic: keys of the input's status
SUBSCRIBERS = 'subscribers of '  # of the inference's
Verdict = tuple[bytes, str]


class Recent:
    """Values with their times (monotonic, s), those of the last seconds; one thread adds them."""

    def __init__(self) -> None:
        self._values: deque[tuple[float, float]] = deque()

    def add(self, value: float, now: float) -> None:
        """Note a value, and forget the old ones."""
        self._values.append((now, value))
        while now - self._values[0][0] > SPAN_S:
            self._values.popleft()

    def values(self, now: float) -> list[float]:
        """Return the values of the last seconds."""
        return [value for at, value in self._values.copy() if now - at <= SPAN_S]

    def rate(self, now: float, since: float) -> float:
        """Return values per second, not counting time before since."""
        begin = max(since, now - SPAN_S)
        return sum(at >= begin for at, _ in self._values.copy()) / max(now - begin, 1.0)


@dataclass(frozen=True)
class Situation:
    """What the node knows and the images do not tell."""

    name: str
    state: str  # of the lifecycle
    image_topic: str
    camera_problem: str
    model_id: str
    device: str
    converter: str
    publishers: Mapping[str, int]  # that the node has found, by topic
    subscribers: Mapping[str, int]
    paused: bool = False


@dataclass
class Health:
    """Facts; the worker and the callbacks write, the timer of /diagnostics reads."""

    since: float = field(default_factory=time.monotonic)  # when inference began or went on
    last_image: float = -math.inf
    received_count: int = 0
    dropped_count: int = 0
    missed_count: int = 0  # images that took longer than their budget
    budget_ms: float = 0.0
    last_result: float = -math.inf
    frame_id: str = ''
    stamped: bool = True
    last_error: str = ''
    broken: str = ''  # why the node could not be brought into the state that was asked for
    result: FrameResult | None = None
    _input_trouble: Verdict = (OK, '')
    _failure: str = ''
    _troubled: float = -math.inf
    _failed: float = -math.inf
    _begun: float = math.inf  # the image in work
    _ages: Recent = field(default_factory=Recent)
    _totals: Recent = field(default_factory=Recent)
    _arrivals: Recent = field(default_factory=Recent)
    _stages: dict[str, Recent] = field(
        default_factory=lambda: {stage: Recent() for stage in STAGES}
    )

    def received(self, age_ms: float, frame_id: str, *, stamped: bool = True) -> None:
        """Note an image; stamped: its stamp is not 0."""
        self.last_image = time.monotonic()
        self.received_count += 1
        self.frame_id, self.stamped = frame_id, stamped
        self._arrivals.add(1, self.last_image)
        if age_ms >= 0:  # otherwise the clocks disagree, or there is no stamp
            self._ages.add(age_ms, self.last_image)

    def rejected(self, reason: str) -> None:
        """Note an image that cannot be used."""
        self._input_trouble, self._troubled = (ERROR, reason), time.monotonic()
        self.last_error = reason

    def failed(self, reason: str) -> None:
        """Note an image on which the pipeline broke."""
        self._failure, self._failed = reason, time.monotonic()
        self.last_error = reason

    def begins(self) -> None:
        """Note that work on an image begins."""
        self._begun = time.monotonic()

    def ends(self) -> None:
        """Note that it has ended, well or not."""
        self._begun = math.inf

    def processed(self, timing: Timing, result: FrameResult, dropped: int) -> None:
        """Note an image whose results are out."""
        now = self.last_result = time.monotonic()
        self.result, self.budget_ms = result, timing.budget_ms
        self.dropped_count += dropped
        self.missed_count += timing.deadline_missed
        self._totals.add(timing.total_ms, now)
        for stage, recent in self._stages.items():
            recent.add(timing.stages_ms.get(stage, 0.0), now)

    def statuses(self, about: Situation, config: DiagnosticsConfig) -> list[DiagnosticStatus]:
        """Return the status of the input and that of the inference."""
        now = time.monotonic()
        if about.state != 'active':
            idle = (OK, f'{about.state}: no images are taken')
            verdict = (ERROR, f'{about.state}: {self.broken}') if self.broken else idle
            return [_status(about, kind, [verdict], {}) for kind in ('input', 'inference')]
        return [
            _status(
                about, 'input', self._judge_input(about, config, now), self._input(about, now)
            ),
            _status(
                about, 'inference', self._judge(about, config, now), self._inference(about, now)
            ),
        ]

    def _judge_input(
        self, about: Situation, config: DiagnosticsConfig, now: float
    ) -> list[Verdict]:
        silent_s = now - max(self.last_image, self.since)
        verdicts = []
        if silent_s > config.silent_s:
            cause = '' if about.publishers.get(about.image_topic) else NO_PUBLISHER
            told = f'no image for {silent_s:.1f} s on {about.image_topic}{cause}'
            verdicts.append((ERROR, told))
        if now - self._troubled < TROUBLE_S:
            verdicts.append(self._input_trouble)
        if about.camera_problem:
            verdicts.append((WARN, f'uncalibrated: {about.camera_problem}'))
        if math.isfinite(self.last_image) and not self.frame_id:
            verdicts.append((WARN, 'images have no frame_id; set it in the camera driver'))
        if not self.stamped:
            verdicts.append(
                (WARN, 'images have no stamp, so tracks never time out; set it in the driver')
            )
        return verdicts

    def _judge(self, about: Situation, config: DiagnosticsConfig, now: float) -> list[Verdict]:
        if about.paused:
            return [(OK, 'paused by ~/enable')]
        return [
            *self._judge_progress(config, now),
            *self._judge_latency(config, now),
            *self._judge_quality(config, now),
        ]

    def _judge_progress(self, config: DiagnosticsConfig, now: float) -> list[Verdict]:
        if now - self._failed < TROUBLE_S:
            return [(ERROR, self._failure)]
        in_work_s = now - self._begun
        if in_work_s * 1000 > config.error_ms:
            return [(ERROR, f'one image is in work for {in_work_s:.1f} s')]
        idle_s = now - max(self.last_result, self.since)
        if idle_s <= max(TROUBLE_S, 2 * config.error_ms / 1000):
            return []
        usable = now - self._troubled >= TROUBLE_S
        if usable and now - self.last_image <= config.silent_s:
            return [(ERROR, f'images come, but none was processed for {idle_s:.1f} s')]
        return [(STALE, f'no image was processed for {idle_s:.1f} s')]

    def _judge_latency(self, config: DiagnosticsConfig, now: float) -> list[Verdict]:
        total_ms = _percentile(self._totals.values(now), 95)
        told = f'p95 of the latency is {total_ms:.0f} ms'
        verdicts = []
        if total_ms > min(config.warn_ms, config.error_ms):
            verdicts.append((ERROR if total_ms > config.error_ms else WARN, told))
        if 0 < self.budget_ms < total_ms:
            verdicts.append((WARN, f'{told}, the budget {self.budget_ms:.0f} ms'))
        return verdicts

    def _judge_quality(self, config: DiagnosticsConfig, now: float) -> list[Verdict]:
        verdicts = []
        fps = self._totals.rate(now, self.since)
        settled = now - self.since > TROUBLE_S
        if settled and fps < config.min_fps <= self._arrivals.rate(now, self.since):
            verdicts.append((WARN, f'only {fps:.1f} images per second are processed'))
        # Less effort under a budget is what was asked for, so no trouble.
        degraded = self.result.info.degraded - {'BUDGET'} if self.result else ()
        if degraded:
            verdicts.append((WARN, f'degraded: {", ".join(sorted(degraded))}'))
        return verdicts

    def _input(self, about: Situation, now: float) -> dict[str, object]:
        ages = self._ages.values(now)
        return {
            'topic': about.image_topic,
            'frame_id': self.frame_id,
            'fps': f'{self._arrivals.rate(now, self.since):.1f}',
            'received': self.received_count,
            'dropped': self.dropped_count,
            'age_ms p50': f'{_percentile(ages, 50):.1f}',
            'age_ms p95': f'{_percentile(ages, 95):.1f}',
            'camera_info': about.camera_problem or ('calibrated' if self.result else ''),
            'converter': about.converter,
            **{PUBLISHERS + topic: count for topic, count in about.publishers.items()},
            'last error': self.last_error,
        }

    def _inference(self, about: Situation, now: float) -> dict[str, object]:
        info = self.result.info if self.result else None
        facts: dict[str, object] = {
            'fps': f'{self._totals.rate(now, self.since):.1f}',
            'people': len(self.result.people) if self.result else 0,
            'model': about.model_id,
            'device': about.device,
            'steps 2D': info.steps if info else 0,
            'ensembles': info.ensembles if info else 0,
            'window 2D': info.window if info else 0,
            'steps 3D': info.lift_steps if info else 0,
            'hypotheses': info.hypotheses if info else 0,
            'budget_ms': f'{self.budget_ms:.0f}',
            'budget misses': self.missed_count,
            **_memory_mb(about.device),
            **{SUBSCRIBERS + topic: count for topic, count in about.subscribers.items()},
        }
        for stage, recent in {**self._stages, 'total': self._totals}.items():
            values = recent.values(now)
            facts[f'{stage}_ms p50'] = f'{_percentile(values, 50):.1f}'
            facts[f'{stage}_ms p95'] = f'{_percentile(values, 95):.1f}'
        return facts


def connections(*results: str) -> list[str]:
    """Return the counts that are not 0 when the node has a camera and listeners to its results."""
    camera = [f'{PUBLISHERS}/{topic}' for topic in (IMAGE, CAMERA_INFO)]
    return camera + [SUBSCRIBERS + topic.replace('~', NODE) for topic in results]


def _status(
    about: Situation, kind: str, verdicts: list[Verdict], facts: dict[str, object]
) -> DiagnosticStatus:
    """Return a status with the worst level and all reasons for it."""
    worst = max([level for level, _ in verdicts], default=OK)
    return DiagnosticStatus(
        level=worst,
        name=f'{about.name}: {kind}',
        message='; '.join(text for _, text in verdicts) or 'running',
        hardware_id=about.name,
        values=[KeyValue(key=key, value=str(value)) for key, value in facts.items()],
    )


def _memory_mb(device: str) -> dict[str, int]:
    """Return what the process holds, what it held at most, and what torch holds of its GPU."""
    pages = int(Path('/proc/self/statm').read_text().split()[1])
    return {
        'memory_mb': pages * resource.getpagesize() // 2**20,
        'memory_peak_mb': resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
        'gpu_memory_mb': torch.cuda.memory_reserved(device) // 2**20 if 'cuda' in device else 0,
    }


def _percentile(values: list[float], q: float) -> float:
    return float(np.percentile(values, q)) if values else 0.0
