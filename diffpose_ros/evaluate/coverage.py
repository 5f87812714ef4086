"""Coverage: how often the truth lies within the ellipsoid that claims to hold it."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from diffpose_ros.core.files import atomic_path
from diffpose_ros.core.gaussian import (
    SHARES,
    shares_within,
    squared_mahalanobis,
    squared_radius,
)
from diffpose_ros.core.skeleton import H36M_17
from diffpose_ros.evaluate.mpjpe import HIP
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

MOVING = [i for i in range(len(H36M_17.joints)) if i != HIP]  # the hip is 0 by definition
CLAIMED = np.linspace(0.02, 0.98, 97)  # 0.5, 0.68, 0.9 and 0.95 are among them


def coverage(
    estimate: Floats, covariance: Floats, truth: Floats, joints: Sequence[int] = MOVING
) -> dict[str, float]:
    """
    Return the share of joints within the ellipsoids of 50, 68, 90 and 95 %.

    estimate, truth  (F, J, 3)     metres, relative to the hip, or all joints where they are not
    covariance       (F, J, 3, 3)  metres squared
    """
    return shares_within((truth - estimate)[:, joints], covariance[:, joints])


def reliability(estimate: Floats, covariance: Floats, truth: Floats) -> Floats:
    """Return the share of joints within the ellipsoids of the shares in CLAIMED, (97,)."""
    squared = squared_mahalanobis((truth - estimate)[:, MOVING], covariance[:, MOVING])
    radii = [squared_radius(share, 3) for share in CLAIMED]
    return np.searchsorted(np.sort(squared, axis=None), radii) / squared.size


def plot_settings(path: Path, rows: Sequence[dict[str, Any]], curves: Sequence[Floats]) -> None:
    """
    Draw the reliability of every setting, and with several the error over hypotheses (PNG).

    rows    figures per setting: steps, hypotheses, mpjpe_mm
    curves  see reliability
    """
    figure = Figure(figsize=(9, 4) if len(rows) > 1 else (4, 4), layout='constrained')
    FigureCanvasAgg(figure)
    axes = np.ravel(figure.subplots(1, 2 if len(rows) > 1 else 1))
    _draw_reliability(axes[0], rows, curves)
    if len(rows) > 1:
        _draw_errors(axes[1], rows)
    with atomic_path(path) as partial:
        figure.savefig(partial, dpi=100)


def _draw_reliability(
    axes: Axes, rows: Sequence[dict[str, Any]], curves: Sequence[Floats]
) -> None:
    axes.plot([0, 1], [0, 1], color='grey', linewidth=1)
    marked = [int(np.abs(CLAIMED - share).argmin()) for share in SHARES]
    for row, curve in zip(rows, curves, strict=True):
        label = f'K = {row["steps"]}, N = {row["hypotheses"]}'
        axes.plot(CLAIMED, curve, marker='.', markevery=marked, label=label)
    axes.set_xlabel('claimed share of joints within the ellipsoid')
    axes.set_ylabel('measured share')
    axes.legend(fontsize='small')


def _draw_errors(axes: Axes, rows: Sequence[dict[str, Any]]) -> None:
    for steps in dict.fromkeys(row['steps'] for row in rows):
        of_steps = sorted((r['hypotheses'], r['mpjpe_mm']) for r in rows if r['steps'] == steps)
        if steps == 0:
            axes.axhline(of_steps[0][1], color='grey', linewidth=1, label='encoder alone')
        else:
            axes.plot(*zip(*of_steps, strict=True), marker='o', label=f'K = {steps}')
    axes.set_xlabel('hypotheses N')
    axes.set_ylabel('MPJPE, mm')
    axes.legend(fontsize='small')
