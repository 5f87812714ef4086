"""
Soak: the node for hours at 30 Hz, and whether its memory, threads, people or markers grow.

    python -m benchmarks.soak --minutes 60 --out soak

People come and go, the camera's clock jumps, settings change. Writes OUT.csv (one row per sample),
OUT.json and OUT.png; drift is in percent per hour after warm-up. The people are made up by
benchmarks/crowd.py: main path, tracker, node and messages are the real ones, the networks are not.
"""

import argparse
from collections.abc import Iterator
import csv
import json
from pathlib import Path
import sys
import time

from diffpose_ros.ros.processes import Child, own_graph, usage
import matplotlib as mpl
from matplotlib.figure import Figure
import numpy as np
import rclpy
from rclpy.executors import SingleThreadedExecutor

from benchmarks.robot import RATE_HZ, Robot

SAMPLE_S = 10.0
WARM_UP_SHARE, WARM_UP_MIN = 0.25, 10.0  # of the run, at most
CURVES = ('rss_mb', 'queue_ms', 'people', 'markers')

Row = dict[str, float]


def timing_row(robot: Robot) -> Row:
    """Return what the answers since the last sample tell, and forget them."""
    timings, robot.timings[:] = robot.timings[:], []
    return {
        'sent': robot.sent,
        'accepted': robot.accepted,
        'refused': robot.refused,
        'answered': len(timings),
        'dropped': sum(t.dropped_since_last for t in timings),
        'queue_ms': percentile([t.queue_ms for t in timings], 95),
        'total_ms': percentile([t.total_ms for t in timings], 95),
    }


def percentile(values: list[float], q: float) -> float:
    """Return a percentile; NaN of nothing."""
    return float(np.percentile(values, q)) if values else float('nan')


def samples(node: Child, minutes: float) -> Iterator[Row]:
    """Yield a row every few seconds until the time is over."""
    robot = Robot()
    executor = SingleThreadedExecutor()
    executor.add_node(robot)
    begin = time.monotonic()
    while (elapsed_s := time.monotonic() - begin) < 60 * minutes:
        until = time.monotonic() + SAMPLE_S
        while (left_s := until - time.monotonic()) > 0:
            executor.spin_once(timeout_sec=left_s)
        node.expect_alive()
        about = {**usage(node.pid), **timing_row(robot), **robot.counts()}
        yield {'minute': (elapsed_s + SAMPLE_S) / 60, **about}


def record(minutes: float, out: Path) -> list[Row]:
    """Run the soak; each row is in the file as soon as it is measured."""
    rows = []
    with own_graph(), out.with_suffix('.csv').open('w', newline='') as file:
        rclpy.init()
        node = Child('node', 'benchmarks.crowd', [], out.with_suffix('.log'))
        try:
            for row in samples(node, minutes):
                writer = csv.DictWriter(file, row)
                if not rows:
                    writer.writeheader()
                writer.writerow(row)
                file.flush()
                rows.append(row)
        finally:
            node.stop()
            rclpy.try_shutdown()
    return rows


def summarise(rows: list[Row]) -> dict[str, float]:
    """
    Return means after warm-up, and slopes in percent of the mean per hour.

    raises  ChildProcessError where the node answered nothing
    """
    minute = np.array([row['minute'] for row in rows])
    settled = minute >= min(WARM_UP_MIN, WARM_UP_SHARE * minute[-1])
    if not any(row['answered'] for row in np.array(rows)[settled]):
        raise ChildProcessError('the node answered no image after warm-up; see its log, OUT.log')
    summary = {'minutes': float(minute[-1]), 'rate_hz': RATE_HZ}
    for name in (*CURVES, 'threads', 'files', 'total_ms'):
        values = np.array([row[name] for row in rows])
        kept = settled & np.isfinite(values)
        slope, _ = np.polyfit(minute[kept] / 60, values[kept], 1)
        mean = float(values[kept].mean())
        summary |= {f'{name}_mean': mean, f'{name}_max': float(values[kept].max())}
        summary[f'{name}_drift_percent_per_hour'] = 100 * float(slope) / max(mean, 1e-9)
    for name in ('answered', 'dropped'):
        summary[name] = sum(row[name] for row in rows)
    return summary | {name: rows[-1][name] for name in ('sent', 'accepted', 'refused', 'cpu_s')}


def draw(rows: list[Row], out: Path) -> None:
    """Write the curves as a picture."""
    mpl.use('Agg')
    figure = Figure(figsize=(7, 5), layout='constrained')
    for axes, name in zip(figure.subplots(len(CURVES), 1, sharex=True), CURVES, strict=True):
        axes.plot([row['minute'] for row in rows], [row[name] for row in rows], linewidth=0.8)
        axes.set_ylabel(name)
        axes.set_ylim(bottom=0)
    axes.set_xlabel('minutes')
    figure.savefig(out.with_suffix('.png'), dpi=60)


def main() -> int:
    """Run the soak and tell the drift."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[1])
    parser.add_argument('--minutes', type=float, default=60.0)
    parser.add_argument('--out', type=Path, default=Path('soak'), help='path without suffix')
    args = parser.parse_args()
    args.out.parent.mkdir(parents=True, exist_ok=True)
    try:
        rows = record(args.minutes, args.out)
        summary = summarise(rows)
    except ChildProcessError as error:
        sys.exit(f'soak: {error}')
    args.out.with_suffix('.json').write_text(json.dumps(summary, indent=2) + '\n')
    draw(rows, args.out)
    print(f'memory drift {summary["rss_mb_drift_percent_per_hour"]:.2f} % per hour')
    return 0


if __name__ == '__main__':
    sys.exit(main())
