"""The numbers of a run: frames, rate, latency by stage, people; as JSON and as a table."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

from diffpose_ros.offline.recording import RecordedFrame, Recording, TIMES
import numpy as np

MOST_NAMED = 3  # people that the table names, those seen longest


def summarise(recording: Recording, published: int, period_s: float) -> dict[str, Any]:
    """
    Return the numbers of a run.

    published  images that the player sent
    period_s   seconds between two images of the player
    """
    frames = recording.frames
    processed = len(frames)
    received = frames[-1].sequence - frames[0].sequence + 1 + frames[0].dropped if frames else 0
    stamps = [frame.result.stamp_ns for frame in frames]
    span_s = (stamps[-1] - stamps[0]) / 1e9 if processed > 1 else 0.0
    outside = [(frame.received_ns - frame.result.stamp_ns) / 1e6 for frame in frames]
    stages = {name: percentiles(_stage(frames, name)) for name in TIMES}
    return {
        'frames_published': published,
        'frames_in': received,
        'frames_lost': published - received,
        'frames_processed': processed,
        'frames_dropped': received - processed,
        'frames_with_person': sum(any(p.pose2d for p in frame.result.people) for frame in frames),
        'frames_with_timing': sum(bool(frame.stages_ms) for frame in frames),
        'fps': _round((processed - 1) / span_s if span_s else 0.0),
        'input_fps': _round(1 / period_s if period_s else 0.0),
        'latency_ms': stages['total'],
        'stages_ms': {name: p for name, p in stages.items() if name != 'total'},
        'stamp_to_recorder_ms': percentiles(outside),
        'people': dict(Counter(p.track_id for frame in frames for p in frame.result.people)),
        'people_per_frame_max': max((len(frame.result.people) for frame in frames), default=0),
        'model_id': frames[-1].result.info.model_id if frames else '',
    }


def percentiles(values: Sequence[float]) -> dict[str, float | None]:
    """Return median and 95th percentile of the finite values; None where there are none."""
    finite = [value for value in values if np.isfinite(value)]
    if not finite:
        return {'p50': None, 'p95': None}
    p50, p95 = np.percentile(finite, [50, 95])
    return {'p50': _round(p50), 'p95': _round(p95)}


def table(summary: dict[str, Any]) -> str:
    """Return the numbers as text for a terminal."""
    s = summary
    sent, received, lost = s['frames_published'], s['frames_in'], s['frames_lost']
    processed, dropped = s['frames_processed'], s['frames_dropped']
    longest = Counter(s['people']).most_common()
    people = ', '.join(f'{name} in {count} frames' for name, count in longest[:MOST_NAMED])
    if len(longest) > MOST_NAMED:
        people += f', {len(longest) - MOST_NAMED} more ids'
    share = s['frames_with_person'] / max(1, processed)
    rows = [
        ('frames in', f'{received} of {sent} sent, {lost} lost on the way'),
        ('processed', f'{processed}, {dropped} dropped for newer ones'),
        ('rate', f'{s["fps"]} fps out, {s["input_fps"]} fps in'),
        ('with a person', f'{s["frames_with_person"]} ({share:.0%})'),
        ('people', people or 'none'),
    ]
    latency = {
        **s['stages_ms'],
        'total': s['latency_ms'],
        'seen outside': s['stamp_to_recorder_ms'],
    }
    lines = [f'  {name:<14} {text}' for name, text in rows]
    lines += ['', f'  {"latency, ms":<14} {"p50":>8} {"p95":>8}']
    lines += [f'  {name:<14} {_cell(p["p50"])} {_cell(p["p95"])}' for name, p in latency.items()]
    return '\n'.join(lines)


def _stage(frames: Sequence[RecordedFrame], name: str) -> list[float]:
    return [frame.stages_ms[name] for frame in frames if frame.stages_ms]


def _cell(value: float | None) -> str:
    return f'{"-" if value is None else f"{value:.1f}":>8}'


def _round(value: float) -> float:
    return round(float(value), 2)
