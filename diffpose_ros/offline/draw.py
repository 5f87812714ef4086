"""People drawn into the image: bones by side, joints by score, 2-sigma ellipses, box and id."""

from collections.abc import Sequence
import math

import cv2
from diffpose_ros.core.people import Box, Person, Pose2D, ScaleSource
from diffpose_ros.core.skeleton import HIP, Skeleton
import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

Image = NDArray[np.uint8]
Color = tuple[int, int, int]
# seconds from the first image, the image (H, W, 3) RGB, and who is in it
Moment = tuple[float, Image, tuple[Person, ...]]

SIDE_COLORS: dict[str, Color] = {'r_': (255, 122, 61), 'l_': (46, 170, 255), '': (247, 226, 107)}
BOX_COLOR: Color = (235, 235, 235)
INK: Color = (18, 20, 26)
SIGMAS = 2.0
MIN_DIAMETER_M = 1e-3  # of a sphere: RViz refuses a scale of zero
SUBPIXEL_BITS = 4  # OpenCV draws on a grid of 1/16 pixel


def side(joint: str) -> str:
    """Return r_, l_ or nothing for a joint of the body's middle."""
    return joint[:2] if joint[:2] in SIDE_COLORS else ''


def bone_side(a: str, b: str) -> str:
    """Return the side of the bone between two joints: that of the joint which has one."""
    return side(b) or side(a)


def draw_overlay(image: Image, people: Sequence[Person], skeleton: Skeleton) -> Image:
    """
    Return a copy of the image with everybody drawn into it.

    image    (H, W, 3)  uint8, RGB
    returns  (H, W, 3)  uint8, RGB
    """
    canvas = np.ascontiguousarray(image).copy()
    unit = line_unit(canvas)
    for person in people:
        _draw_box(canvas, person.box, unit)
        if person.pose2d is not None:
            _draw_ellipses(canvas, person.pose2d, skeleton, unit)
            _draw_bones(canvas, person.pose2d, skeleton, unit)
            _draw_joints(canvas, person.pose2d, skeleton, unit)
        _draw_label(canvas, _label(person), person.box, unit)
    return canvas


def line_unit(image: Image) -> float:
    """Return the pixels of one unit of line width: 1 for VGA, more for larger images."""
    return max(1.0, math.sqrt(image.shape[0] * image.shape[1] / (640 * 480)))


def distance_m(person: Person) -> float | None:
    """Return how far the hip is from the camera; None where nothing fixed that."""
    pose = person.pose3d
    if pose is None or pose.scale_source == ScaleSource.NONE:
        return None
    away_m = float(np.linalg.norm(pose.xyz[HIP]))
    return away_m if math.isfinite(away_m) else None


def _label(person: Person) -> str:
    away_m = distance_m(person)
    return person.track_id if away_m is None else f'{person.track_id}  {away_m:.1f} m'


def _seen(pose: Pose2D) -> NDArray[np.bool_]:
    return np.isfinite(pose.xy).all(axis=1) & (pose.score > 0)


def _draw_bones(canvas: Image, pose: Pose2D, skeleton: Skeleton, unit: float) -> None:
    seen = _seen(pose)
    for width, shade in ((4.0, True), (2.4, False)):
        for (a, b), names in zip(skeleton.edges, skeleton.bones, strict=True):
            if seen[a] and seen[b]:
                color = INK if shade else SIDE_COLORS[bone_side(*names)]
                thickness = max(1, round(width * unit))
                cv2.line(
                    canvas,
                    _fixed(pose.xy[a]),
                    _fixed(pose.xy[b]),
                    color,
                    thickness,
                    cv2.LINE_AA,
                    SUBPIXEL_BITS,
                )


def _draw_joints(canvas: Image, pose: Pose2D, skeleton: Skeleton, unit: float) -> None:
    for i in np.flatnonzero(_seen(pose)):
        radius = (1.6 + 2.8 * float(np.clip(pose.score[i], 0, 1))) * unit
        for extra, color in ((0.8 * unit, INK), (0.0, SIDE_COLORS[side(skeleton.joints[i])])):
            _disc(canvas, pose.xy[i], radius + extra, color)


def _draw_ellipses(canvas: Image, pose: Pose2D, skeleton: Skeleton, unit: float) -> None:
    for i in np.flatnonzero(_seen(pose) & np.isfinite(pose.covariance).all(axis=(1, 2))):
        semi_axes, angle_deg = ellipse(pose.covariance[i])
        cv2.ellipse(
            canvas,
            _fixed(pose.xy[i]),
            _fixed(semi_axes),
            angle_deg,
            0,
            360,
            SIDE_COLORS[side(skeleton.joints[i])],
            max(1, round(0.6 * unit)),
            cv2.LINE_AA,
            SUBPIXEL_BITS,
        )


def ellipse(covariance: NDArray[np.floating]) -> tuple[NDArray[np.float64], float]:
    """
    Return the 2-sigma ellipse of a covariance.

    covariance  (2, 2)  pixels squared
    returns     semi-axes (2,) in pixels, the longer first; its direction in degrees, x to y
    """
    variances, axes = np.linalg.eigh(covariance)
    semi_axes = SIGMAS * np.sqrt(np.clip(variances[::-1], 0, None))
    return semi_axes, math.degrees(math.atan2(axes[1, 1], axes[0, 1]))


def spheres(
    mean: NDArray[np.floating], covariance: NDArray[np.floating], sigma: float
) -> NDArray[np.float64]:
    """
    Return spheres that, stretched along their axes, enclose sigma standard deviations.

    mean        (N, 3)     metres
    covariance  (N, 3, 3)  metres squared
    returns     (N, 10)    position, quaternion x y z w, diameters in metres
    """
    variance, axes = np.linalg.eigh(covariance)
    axes[np.linalg.det(axes) < 0] *= -1  # a mirror image is no rotation
    diameters = 2 * sigma * np.sqrt(np.maximum(variance, 0))
    quaternions = Rotation.from_matrix(axes).as_quat()
    return np.concatenate([mean, quaternions, np.maximum(diameters, MIN_DIAMETER_M)], axis=1)


def _draw_box(canvas: Image, box: Box, unit: float) -> None:
    left, top, right, bottom = box.corners
    corners = [(left, top), (right, top), (right, bottom), (left, bottom)]
    for i, (x, y) in enumerate(corners):  # only the corners: the person stays free
        for x_next, y_next in (corners[i - 1], corners[(i + 1) % 4]):
            end = np.array([x + 0.15 * (x_next - x), y + 0.15 * (y_next - y)])
            cv2.line(
                canvas,
                _fixed(np.array([x, y])),
                _fixed(end),
                BOX_COLOR,
                max(1, round(unit)),
                cv2.LINE_AA,
                SUBPIXEL_BITS,
            )


def _draw_label(canvas: Image, text: str, box: Box, unit: float) -> None:
    font, scale, thickness = cv2.FONT_HERSHEY_DUPLEX, 0.45 * unit, max(1, round(0.8 * unit))
    (width, height), baseline = cv2.getTextSize(text, font, scale, thickness)
    pad = round(4 * unit)
    rows, columns = canvas.shape[:2]
    x = int(np.clip(box.corners[0], 0, max(0, columns - width - 2 * pad)))
    bottom = int(np.clip(box.corners[1], height + baseline + 2 * pad, rows))
    top = bottom - height - baseline - 2 * pad
    plate = canvas[max(0, top) : bottom, x : x + width + 2 * pad]
    plate[:] = (0.35 * plate + 0.65 * np.array(INK)).astype(np.uint8)
    origin = (x + pad, bottom - pad - baseline)
    cv2.putText(canvas, text, origin, font, scale, BOX_COLOR, thickness, cv2.LINE_AA)


def _disc(canvas: Image, center: NDArray[np.floating], radius: float, color: Color) -> None:
    fixed_radius = round(radius * 2**SUBPIXEL_BITS)
    cv2.circle(canvas, _fixed(center), fixed_radius, color, -1, cv2.LINE_AA, SUBPIXEL_BITS)


def _fixed(point: NDArray[np.floating]) -> tuple[int, int]:
    """Return a point on OpenCV's sub-pixel grid; far away ones stay within its range."""
    x, y = np.rint(np.clip(point, -20_000, 20_000) * 2**SUBPIXEL_BITS).astype(int)
    return int(x), int(y)
