"""Cameras: pixels to rays and back, and the virtual camera of the lifter."""

from dataclasses import dataclass, field
import math

import cv2
import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating]

PINHOLE_MODELS = ('plumb_bob', 'rational_polynomial')
MODELS = (*PINHOLE_MODELS, 'equidistant')
DISTORTION_LENGTHS = {  # coefficients that OpenCV takes; fewer than it needs are filled with 0
    **dict.fromkeys(PINHOLE_MODELS, (0, 4, 5, 8, 12, 14)),
    'equidistant': (0, 1, 2, 3, 4),
}
MAX_FOCAL_PX, MAX_COEFFICIENT = 1e6, 1e4  # beyond, the numbers are no calibration
# Five rounds, OpenCV's default, miss by tens of pixels at the border of a wide lens.
ROUNDS = (cv2.TERM_CRITERIA_COUNT | cv2.TERM_CRITERIA_EPS, 50, 1e-6)
ASSUMED_FOV_DEG = 60.0  # where the camera is unknown


@dataclass(frozen=True)
class Camera:
    """
    Intrinsics of one camera, in the terms of sensor_msgs/CameraInfo.

    K           (3, 3)  pixels, of the image as received
    distortion  (n,)    coefficients in OpenCV's order; none = rectified image
    model       str     plumb_bob, rational_polynomial or equidistant
    """

    K: Floats
    width: int
    height: int
    distortion: Floats = field(default_factory=lambda: np.zeros(0))
    model: str = 'plumb_bob'

    def __post_init__(self) -> None:
        if self.width < 1 or self.height < 1:
            raise ValueError(f'image size is {self.width}x{self.height}; set both above 0')
        self._check_intrinsics()
        self._check_distortion()

    def _check_intrinsics(self) -> None:
        K = self.K
        if K.shape != (3, 3) or not np.isfinite(K).all():
            raise ValueError(f'K must be 3x3 and finite, got {K.tolist()}; calibrate again')
        focal_px, center_px = np.diag(K)[:2], K[:2, 2]
        if not (focal_px > 0).all() or max(*focal_px, *abs(center_px)) > MAX_FOCAL_PX:
            raise ValueError(
                f'focal lengths are {K[0, 0]} and {K[1, 1]} px, the centre is at '
                f'{center_px.tolist()} px; calibrate the camera'
            )

    def _check_distortion(self) -> None:
        if self.model not in MODELS:
            raise ValueError(f'distortion model {self.model!r}; use one of {MODELS}')
        values, lengths = self.distortion, DISTORTION_LENGTHS[self.model]
        if values.shape not in [(n,) for n in lengths]:
            raise ValueError(
                f'distortion of model {self.model} has shape {values.shape}; '
                f'give one of {lengths} coefficients'
            )
        if not (np.abs(values) <= MAX_COEFFICIENT).all():
            raise ValueError(
                f'distortion is {values.tolist()}; all must be finite and none beyond '
                f'{MAX_COEFFICIENT:.0f}'
            )

    @classmethod
    def from_fov(cls, width: int, height: int, fov_deg: float) -> 'Camera':
        """Return an ideal camera with this horizontal field of view."""
        focal_px = width / 2 / math.tan(math.radians(fov_deg) / 2)
        cx, cy = (width - 1) / 2, (height - 1) / 2
        return cls(np.array([[focal_px, 0, cx], [0, focal_px, cy], [0, 0, 1.0]]), width, height)

    def rays(self, pixels: Floats) -> NDArray[np.float64]:
        """
        Turn image points into points on the plane one metre in front of the camera.

        pixels   (..., 2)  pixels, x right, y down
        returns  (..., 2)  x / z and y / z in the optical frame (REP 103)
        """
        points = np.ascontiguousarray(pixels, np.float64).reshape(-1, 1, 2)
        if not len(points):
            return np.zeros(np.shape(pixels))
        coefficients = self._coefficients()
        if self.model in PINHOLE_MODELS:
            # OpenCV 4 has a function of its own for the rounds; OpenCV 5 has only the one.
            undistort = getattr(cv2, 'undistortPointsIter', cv2.undistortPoints)
            rays = undistort(points, self.K, coefficients, R=None, P=None, criteria=ROUNDS)
        else:
            rays = cv2.fisheye.undistortPoints(points, self.K, coefficients)
        return np.asarray(rays, np.float64).reshape(np.shape(pixels))

    def project(self, points: Floats) -> NDArray[np.float64]:
        """
        Turn points in front of the camera into pixels.

        points   (..., 3)  metres, optical frame, z > 0
        returns  (..., 2)  pixels
        """
        flat = np.ascontiguousarray(points, np.float64).reshape(-1, 1, 3)
        if not len(flat):
            return np.zeros((*np.shape(points)[:-1], 2))
        pinhole = self.model in PINHOLE_MODELS
        project = cv2.projectPoints if pinhole else cv2.fisheye.projectPoints
        zero = np.zeros((3, 1))
        pixels, _ = project(flat, zero, zero, self.K, self._coefficients())
        return np.asarray(pixels, np.float64).reshape(*np.shape(points)[:-1], 2)

    def _coefficients(self) -> NDArray[np.float64]:
        if self.model == 'equidistant':
            return np.resize(np.append(self.distortion, np.zeros(4)), 4)
        return np.asarray(self.distortion, np.float64)


def look_at(ray: Floats) -> NDArray[np.float64]:
    """
    Return the smallest rotation that brings a direction onto the optical axis.

    ray      (3,)    direction in the camera's optical frame, any length
    returns  (3, 3)  R with R @ ray = |ray| * (0, 0, 1)
    """
    axis = ray / np.linalg.norm(ray)
    v = np.array([axis[1], -axis[0], 0.0])  # axis x (0, 0, 1)
    cross = np.array([[0, -v[2], v[1]], [v[2], 0, -v[0]], [-v[1], v[0], 0]])
    return np.eye(3) + cross + cross @ cross / (1 + axis[2])


def rotate_rays(rays: Floats, rotation: Floats) -> NDArray[np.float64]:
    """
    Re-project points of the unit plane into a camera that is rotated on the spot.

    rays      (..., 2)  x / z, y / z
    rotation  (3, 3)    from the first camera to the second
    returns   (..., 2)  x / z, y / z in the second camera; NaN behind it
    """
    homogeneous = np.concatenate([rays, np.ones_like(rays[..., :1])], axis=-1) @ rotation.T
    z = homogeneous[..., 2:]
    return np.where(z > 1e-6, homogeneous[..., :2] / np.where(z > 1e-6, z, 1), np.nan)
