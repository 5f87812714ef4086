"""
Metrics of 3D poses. F frames, J joints, metres in, millimetres out.

MPJPE compares after both roots are moved to the origin, P-MPJPE after the best similarity
(rotation, scale, translation) per frame; PCK and AUC are those of MPI-INF-3DHP.
"""

from diffpose_ros.core.skeleton import H36M_17, HIP
import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

# Markers and detectors agree on these; spine, nose and head_top are conventions.
LIMBS = tuple(
    f'{side}{joint}'
    for side in ('l_', 'r_')
    for joint in ('hip', 'knee', 'ankle', 'shoulder', 'elbow', 'wrist')
)
PCK_RADIUS_MM = 150.0
AUC_RADII_MM = np.arange(0, 151, 5)


def joint_errors(estimate: Floats, truth: Floats) -> Floats:
    """Return distances (F, J) in mm between poses (F, J, 3), roots at the origin."""
    offset = (estimate - estimate[:, HIP, None]) - (truth - truth[:, HIP, None])
    return 1000 * np.linalg.norm(offset, axis=-1)


def aligned_errors(estimate: Floats, truth: Floats) -> Floats:
    """Return distances (F, J) in mm after the best similarity of every frame (F, J, 3)."""
    return 1000 * np.linalg.norm(procrustes(estimate, truth) - truth, axis=-1)


def procrustes(estimate: Floats, truth: Floats) -> Floats:
    """Move, turn (no reflection) and scale every pose (F, J, 3) onto the truth."""
    middle, target = estimate.mean(axis=1, keepdims=True), truth.mean(axis=1, keepdims=True)
    X, Y = estimate - middle, truth - target
    U, S, Vt = np.linalg.svd(X.transpose(0, 2, 1) @ Y)
    sign = np.ones_like(S)
    sign[:, 2] = np.sign(np.linalg.det(U @ Vt))
    R = (U * sign[:, None]) @ Vt
    scale = (S * sign).sum(axis=1) / np.maximum((X**2).sum(axis=(1, 2)), 1e-12)
    return scale[:, None, None] * (X @ R) + target


def hip_errors(estimate: Floats, truth: Floats) -> Floats:
    """Return distances (F,) in mm between the hips of poses (F, J, 3) in the camera's frame."""
    return 1000 * np.linalg.norm(estimate[:, HIP] - truth[:, HIP], axis=-1)


def pck(errors: Floats) -> float:
    """Return the share of errors in mm below 150 mm."""
    return float((errors < PCK_RADIUS_MM).mean())


def auc(errors: Floats) -> float:
    """Return the mean share of errors in mm below 0, 5, ... 150 mm."""
    return float(np.mean([(errors < radius).mean() for radius in AUC_RADII_MM]))


def summary(estimate: Floats, truth: Floats) -> dict[str, float]:
    """Return MPJPE and P-MPJPE in mm over all joints and over the twelve of the limbs."""
    limbs = H36M_17.index(*LIMBS)
    return {
        'mpjpe_mm': float(joint_errors(estimate, truth).mean()),
        'p_mpjpe_mm': float(aligned_errors(estimate, truth).mean()),
        'mpjpe_limbs_mm': float(joint_errors(estimate, truth)[:, limbs].mean()),
        'p_mpjpe_limbs_mm': float(aligned_errors(estimate[:, limbs], truth[:, limbs]).mean()),
    }
