"""People in space, drawn with matplotlib: bones, hypotheses and 2-sigma ellipsoids in metres."""

from collections.abc import Sequence
from pathlib import Path

from diffpose_ros.core.files import atomic_path
from diffpose_ros.core.people import JointState, Person, Pose3D
from diffpose_ros.core.skeleton import HIP, Skeleton
from diffpose_ros.offline.draw import (
    bone_side,
    distance_m,
    draw_overlay,
    side,
    SIDE_COLORS,
    SIGMAS,
)
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from mpl_toolkits.mplot3d import Axes3D
import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating]

# x right, y down, z forward -> x right, y forward, z up
UPRIGHT = np.array([[1.0, 0, 0], [0, 0, 1], [0, -1, 0]])
# Darker than in the image: the paper is white.
PAPER_COLORS = {
    name: tuple(0.82 * channel / 255 for channel in color) for name, color in SIDE_COLORS.items()
}
GRID_COLOR = (0.85, 0.86, 0.88, 1.0)
DPI = 110
CLEAR = 0.5  # mean score from which a person makes a picture better
MOST_NAMED = 2  # people whose distance fits into the title


def write_summary(
    path: Path, image: NDArray[np.uint8], people: Sequence[Person], skeleton: Skeleton
) -> None:
    """Write a PNG: the people in the image (H, W, 3) uint8 RGB, beside them in space."""
    height_in, plot_in = 7.2, 7.6
    image_in = height_in * min(image.shape[1] / image.shape[0], 1.6)
    figure = Figure(figsize=(image_in + plot_in, height_in), dpi=DPI, facecolor='white')
    FigureCanvasAgg(figure)
    split = image_in / (image_in + plot_in)
    left = figure.add_axes((0, 0, split, 1))
    left.imshow(draw_overlay(image, people, skeleton), interpolation='antialiased')
    left.axis('off')
    right = figure.add_axes((split, 0.0, 1 - split, 0.9), projection='3d')
    plot_people(right, people, skeleton)
    middle = (split + 1) / 2
    figure.text(middle, 0.95, _title(people), ha='center', fontsize=13, color='0.15')
    figure.text(middle, 0.89, _legend(people), ha='center', fontsize=8.5, color='0.4')
    with atomic_path(path) as partial:
        figure.savefig(partial)


def clarity(people: Sequence[Person]) -> float:
    """Return how well people are seen: the sum of their mean scores, less where these are low."""
    seen = [float(np.mean(p.pose2d.score)) for p in people if p.pose2d and p.pose3d]
    return sum(score - CLEAR for score in seen)


def plot_people(axes: Axes3D, people: Sequence[Person], skeleton: Skeleton) -> None:
    """Draw everybody who has a 3D pose, the camera looking into the picture."""
    poses = [person.pose3d for person in people if person.pose3d is not None]
    for pose in poses:
        _plot_root(axes, pose)
        _plot_hypotheses(axes, pose, skeleton)
        _plot_ellipsoids(axes, pose, skeleton)
        _plot_bones(axes, pose, skeleton)
    points = [_finite(pose.xyz @ UPRIGHT.T) for pose in poses]
    _frame(axes, np.concatenate([*points, np.zeros((0, 3))]))


def ellipsoid(center: Floats, covariance: Floats, rings: int = 14) -> NDArray[np.float64]:
    """
    Return the surface of the 2-sigma ellipsoid as a grid of points.

    center      (3,)    metres
    covariance  (3, 3)  metres squared
    returns     (2 rings, rings, 3)  metres
    """
    u, v = np.meshgrid(
        np.linspace(0, 2 * np.pi, 2 * rings), np.linspace(0, np.pi, rings), indexing='ij'
    )
    sphere = np.stack([np.cos(u) * np.sin(v), np.sin(u) * np.sin(v), np.cos(v)], axis=-1)
    variances, axes = np.linalg.eigh(covariance)
    return center + sphere * SIGMAS * np.sqrt(np.clip(variances, 0, None)) @ axes.T


def _plot_bones(axes: Axes3D, pose: Pose3D, skeleton: Skeleton) -> None:
    xyz = pose.xyz @ UPRIGHT.T
    for (a, b), names in zip(skeleton.edges, skeleton.bones, strict=True):
        color = PAPER_COLORS[bone_side(*names)]
        axes.plot(*xyz[[a, b]].T, color=color, linewidth=3.2, solid_capstyle='round')
    for joint, position, state in zip(skeleton.joints, xyz, pose.state, strict=True):
        face = PAPER_COLORS[side(joint)] if state == JointState.MEASURED else 'white'
        axes.plot(
            *position[:, None],
            marker='o',
            markersize=5,
            color=face,
            markeredgecolor=PAPER_COLORS[side(joint)],
            markeredgewidth=1.2,
        )


def _plot_hypotheses(axes: Axes3D, pose: Pose3D, skeleton: Skeleton) -> None:
    for hypothesis in pose.hypotheses[:10] @ UPRIGHT.T:
        for a, b in skeleton.edges:
            axes.plot(*hypothesis[[a, b]].T, color='0.45', linewidth=0.6, alpha=0.35)


def _plot_ellipsoids(axes: Axes3D, pose: Pose3D, skeleton: Skeleton) -> None:
    shapes = np.nan_to_num(pose.relative_covariance)
    parts = zip(skeleton.joints, pose.xyz, shapes, strict=True)
    for joint, center, covariance in parts:
        if np.isfinite(center).all():
            surface = ellipsoid(center, covariance) @ UPRIGHT.T
            axes.plot_surface(
                *np.moveaxis(surface, -1, 0),
                color=PAPER_COLORS[side(joint)],
                alpha=0.16,
                linewidth=0,
                shade=False,
            )


def _plot_root(axes: Axes3D, pose: Pose3D) -> None:
    """Draw how far off the whole person may be, as a bar along the most uncertain direction."""
    variances, directions = np.linalg.eigh(np.nan_to_num(pose.root_covariance))
    reach = SIGMAS * np.sqrt(max(0.0, variances[-1])) * directions[:, -1]
    bar = np.stack([pose.xyz[HIP] - reach, pose.xyz[HIP] + reach]) @ UPRIGHT.T
    axes.plot(*bar.T, color='0.55', linewidth=1.4, linestyle=(0, (4, 2)), marker='|')


def _frame(axes: Axes3D, points: Floats) -> None:
    if not len(points):
        points = np.array([[-1.0, 0.0, -1.0], [1.0, 2.0, 1.0]])
    low, high = points.min(axis=0), points.max(axis=0)
    reach = max(0.6, *(high - low)) * 0.56
    center = (low + high) / 2
    axes.set(
        xlim=(center[0] - reach, center[0] + reach),
        ylim=(center[1] - reach, center[1] + reach),
        zlim=(center[2] - reach, center[2] + reach),
        xlabel='x, right (m)',
        ylabel='z, forward (m)',
        zlabel='−y, up (m)',
    )
    axes.set_box_aspect((1, 1, 1), zoom=1.08)
    axes.view_init(elev=14, azim=-62)
    for axis in (axes.xaxis, axes.yaxis, axes.zaxis):
        axis.set_pane_color((0.975, 0.975, 0.98, 1.0))
        axis._axinfo['grid'].update(color=GRID_COLOR, linewidth=0.7)
        axis.set_tick_params(labelsize=8, colors='0.35')
        axis.label.set(size=9, color='0.35')


def _finite(points: Floats) -> Floats:
    return points[np.isfinite(points).all(axis=1)]


def _title(people: Sequence[Person]) -> str:
    distances = {person.track_id: distance_m(person) for person in people}
    away = {name: distance for name, distance in distances.items() if distance is not None}
    if len(away) > MOST_NAMED:
        near, far = min(away.values()), max(away.values())
        return f'{len(away)} people, {near:.1f} to {far:.1f} m from the camera'
    places = [f'{name}: {distance:.2f} m from the camera' for name, distance in away.items()]
    unplaced = any(person.pose3d is not None for person in people)
    return '   '.join(places) or ('distances unknown' if unplaced else 'nobody in 3D')


def _legend(people: Sequence[Person]) -> str:
    if all(person.pose3d is None for person in people):
        return ''
    return (
        'blue: left · orange: right · hollow: not measured, inferred · grey: hypotheses\n'
        'ellipsoids: 2σ of a joint against the body · dashed: 2σ of the whole body’s place'
    )
