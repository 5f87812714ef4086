"""
What a depth image tells about the place and the size of a person.

Each torso joint that is seen gives one distance: that of the surface, and the joint lies behind
it, in a torso whose cross-section is taken for an ellipse. The distances agree, unless something
stands in front of some joints or the ray misses the body. So the distance wins on which most
joints agree and which suits a human body; when none does better than calling all of them
outliers, the image tells nothing. What wins corrects root and size together, because a body that
is nearer than its picture tells is smaller than assumed.
"""

from diffpose_ros.core.people import ScaleSource
from diffpose_ros.core.skeleton import H36M_17
from diffpose_ros.lift3d.placement import BodySize, Placement
import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating]

TORSO = H36M_17.index('hip', 'r_hip', 'l_hip', 'spine', 'thorax', 'l_shoulder', 'r_shoulder')
MIDDLE = H36M_17.index('hip', 'hip', 'hip', 'spine', 'thorax', 'thorax', 'thorax')  # of each
SIDES = H36M_17.index('l_hip', 'l_shoulder'), H36M_17.index('r_hip', 'r_shoulder')
HALF_WIDTH_M, HALF_DEPTH_M = 0.2, 0.11  # of a torso
SURFACE_DEVIATION_M = 0.03  # of the distance from skin to joint
NOISE = 0.01  # deviation of a depth sensor, of the distance
OUTLIER = 0.3  # share of joints whose ray ends elsewhere
RANGE_M = 5.0  # outliers may lie anywhere in so much space
WINDOW_M = 0.03  # half the side of the square, on the body, that is looked at around a joint


def surface_depths(
    depth: NDArray[np.float32], pixels: Floats, seen: NDArray[np.bool_], radius_px: int
) -> NDArray[np.float64]:
    """
    Read the distance of what is seen around torso joints, as medians over small squares.

    depth    (H, W)  metres along the optical axis; invalid where not above 0 or not finite
    pixels   (J, 2)  joints in the same image
    seen     (J,)    which joints are worth a look
    returns  (J,)    metres; NaN where nothing valid is around, or not looked at
    """
    height, width = depth.shape
    surface = np.full(len(pixels), np.nan)
    for j in [j for j in TORSO if seen[j] and np.isfinite(pixels[j]).all()]:
        x, y = np.rint(pixels[j]).astype(int)
        if 0 <= x < width and 0 <= y < height:
            top, left = max(0, y - radius_px), max(0, x - radius_px)
            square = depth[top : y + radius_px + 1, left : x + radius_px + 1]
            valid = square[np.isfinite(square) & (square > 0)]
            surface[j] = np.median(valid) if valid.size else np.nan
    return surface


def window_radius(focal_px: float, distance_m: float) -> int:
    """Return half the side of the square around a joint at that distance, pixels."""
    return max(1, round(WINDOW_M * focal_px / distance_m))


def refine(
    placed: Placement,
    relative: Floats,
    relative_covariance: Floats,
    rays: Floats,
    surface: Floats,
) -> Placement | None:
    """
    Correct a placement by the distances of torso joints, all in the camera's optical frame.

    relative             (J, 3)     metres from the hip, of a body of size 1
    relative_covariance  (J, 3, 3)  metres squared, likewise, without that of the size
    rays                 (J, 2)     x / z and y / z
    surface              (J,)       metres along the optical axis, NaN = unknown
    returns              root and size; None where the distances tell nothing
    """
    known = np.isfinite(surface[TORSO])
    if not np.isfinite(placed.root).all() or known.sum() < 2:
        return None
    size = placed.body.mean
    relative, relative_covariance = size * relative, size**2 * relative_covariance
    joints = np.array(TORSO)[known]
    joint_z = surface[joints] + behind_surface(relative, rays)[known]
    sensor = (NOISE * surface[joints]) ** 2 + SURFACE_DEVIATION_M**2
    variance = sensor + relative_covariance[joints, 2, 2]
    expected = float(placed.root[2]), float(placed.covariance[2, 2])
    agree = largest_agreement(joint_z - relative[joints, 2], variance, *expected)
    if agree is None:
        return None
    return _correct(placed, relative[joints, 2], joint_z, agree / variance)


def behind_surface(relative: Floats, rays: Floats) -> NDArray[np.float64]:
    """
    Return how much farther than its surface each torso joint is along the optical axis, metres.

    The torso is an elliptic cylinder; a joint lies on its wide axis, and the ray enters before it.
    """
    left, right = SIDES
    across = (relative[left] - relative[right]).sum(axis=0)
    across = across / max(float(np.linalg.norm(across)), 1e-6)
    sight = np.insert(rays[TORSO], 2, 1, axis=1)
    length = np.linalg.norm(sight, axis=1)
    x = -(sight @ across) / length  # of the step from the joint towards the camera: across
    y = np.sqrt(np.maximum(1 - x**2, 0))  # and to the front or back
    start = (relative[TORSO] - relative[MIDDLE]) @ across
    start = np.clip(start, -0.9 * HALF_WIDTH_M, 0.9 * HALF_WIDTH_M)
    a = (x / HALF_WIDTH_M) ** 2 + (y / HALF_DEPTH_M) ** 2
    b = start * x / HALF_WIDTH_M**2
    c = (start / HALF_WIDTH_M) ** 2 - 1
    return (np.sqrt(b**2 - a * c) - b) / a / length


def largest_agreement(
    distance: Floats, variance: Floats, expected: float, expected_variance: float
) -> NDArray[np.bool_] | None:
    """
    Return which distances (n,) of the root belong together, or None where too few do.

    A joint's distance is that of the body, with its variance, or an outlier. Each is tried as
    the true one; its logarithmic odds are those of the others and of the expectation.
    """
    spread = variance[:, None] + variance
    normal = np.exp(-((distance[:, None] - distance) ** 2) / (2 * spread)) / np.sqrt(
        2 * np.pi * spread
    )
    odds = (1 - OUTLIER) / OUTLIER * RANGE_M * normal
    others = np.log1p(odds).sum(axis=1) - np.log1p(np.diag(odds))
    score = others - (distance - expected) ** 2 / (2 * (expected_variance + variance))
    best = int(score.argmax())
    return np.asarray(odds[best] > 1) if score[best] > 0 else None


def _correct(placed: Placement, relative_z: Floats, z: Floats, weight: Floats) -> Placement:
    """Take in the weighted mean of the distances (n,) of joints, from the hip and the camera."""
    total = weight.sum()
    return _update(
        placed,
        float(weight @ relative_z / total),
        float(weight @ z / total),
        1 / total + SURFACE_DEVIATION_M**2,  # the joints share a part of this error
    )


def _update(placed: Placement, relative_z: float, z: float, variance: float) -> Placement:
    """Take in that root z + growth * relative z is z: one step of a Kalman filter."""
    root, body = placed.root, placed.body
    state = np.append(root, 1.0)
    P = np.block(
        [
            [placed.covariance, placed.size_covariance[:, None]],
            [placed.size_covariance[None], np.full((1, 1), body.deviation**2)],
        ]
    )
    H = np.array([0, 0, 1, relative_z])
    gain = P @ H / (H @ P @ H + variance)
    state = state + gain * (z - H @ state)
    P = P - np.outer(gain, H @ P)
    growth, deviation = float(state[3]), float(np.sqrt(P[3, 3]))
    grown = BodySize(body.mean * growth, deviation / growth, ScaleSource.DEPTH)
    return Placement(state[:3], P[:3, :3], P[:3, 3] / growth, grown)
