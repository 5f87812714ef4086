"""Coverage: how often the truth lies within the ellipsoid that claims to hold it."""

from pathlib import Path

from diffpose_ros.core.skeleton import H36M_17
from diffpose_ros.lift3d.calibration import CHI2_3, squared_mahalanobis
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
import numpy as np
from numpy.typing import NDArray
from scipy.stats import chi2

Floats = NDArray[np.float64]

(HIP,) = H36M_17.index('hip')
MOVING = [i for i in range(len(H36M_17.joints)) if i != HIP]  # the hip is 0 by definition


def coverage(estimate: Floats, covariance: Floats, truth: Floats) -> dict[str, float]:
    """
    Return the share of joints within the ellipsoids of 50, 68, 90 and 95 %.

    estimate, truth  (F, J, 3)     metres, relative to the hip
    covariance       (F, J, 3, 3)  metres squared
    """
    squared = squared_mahalanobis((truth - estimate)[:, MOVING], covariance[:, MOVING])
    return {
        f'coverage_{round(100 * share)}': float((squared < radius).mean())
        for share, radius in CHI2_3.items()
    }


def plot_reliability(path: Path, estimate: Floats, covariance: Floats, truth: Floats) -> None:
    """Draw how often the truth lies within an ellipsoid against how often it should (PNG)."""
    squared = squared_mahalanobis((truth - estimate)[:, MOVING], covariance[:, MOVING])
    claimed = np.linspace(0.02, 0.98, 49)
    measured = [(squared < chi2(3).ppf(share)).mean() for share in claimed]
    figure = Figure(figsize=(4, 4))
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    axes.plot([0, 1], [0, 1], color='grey', linewidth=1)
    axes.plot(claimed, measured)
    axes.set_xlabel('claimed share of joints within the ellipsoid')
    axes.set_ylabel('measured share')
    figure.savefig(path, dpi=100, bbox_inches='tight')
