"""People that are made up, for benchmarks and tests that need people and no networks."""

from collections.abc import Iterable

from diffpose_ros.core.people import (
    Box,
    JointState,
    Person,
    Pose2D,
    Pose3D,
    ScaleSource,
    TrackState,
)
from diffpose_ros.core.skeleton import H36M_17
import numpy as np

J = len(H36M_17.joints)
BOX = (100.0, 50.0), (400.0, 400.0)  # corners, pixels: in a VGA image
ROOT_COVARIANCE = np.diag([0.01, 0.01, 0.2])


def somebody(
    track_id: str = 'p1', seed: int = 0, hypotheses: int = 5, lost: Iterable[str] = ()
) -> Person:
    """Return a confirmed person with random joints, the same for the same seed; some are lost."""
    rng = np.random.default_rng(seed)
    xy = rng.uniform(*BOX, (J, 2))
    xyz = rng.normal([seed, 0, 4], 0.5, (J, 3))
    half = rng.normal(size=(J, 3, 3)) * 0.05
    shape = half @ half.transpose(0, 2, 1)
    state = np.full(J, JointState.MEASURED, np.uint8)
    gone = H36M_17.index(*lost)
    state[gone], xy[gone], xyz[gone] = JointState.INVALID, np.nan, np.nan
    weights = np.arange(hypotheses, 0, -1.0)
    return Person(
        track_id,
        TrackState.CONFIRMED,
        1.25,
        Box.around(np.array(BOX), 0.9),
        Pose2D(xy, np.tile(np.diag([9.0, 4.0]), (J, 1, 1)), rng.uniform(0, 1, J)),
        Pose3D(
            xyz,
            shape + ROOT_COVARIANCE,
            shape,
            ROOT_COVARIANCE,
            xyz + rng.normal(0, 0.05, (hypotheses, J, 3)),
            weights / weights.sum(),
            state,
            ScaleSource.BODY_PRIOR,
        ),
    )
