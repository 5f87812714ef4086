"""People for the tests of this folder."""

from collections.abc import Callable
from pathlib import Path
import sys

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
import pytest

sys.path.insert(0, str(Path(__file__).parent))  # for follower.py

J = len(H36M_17.joints)


def somebody(seed: int = 0) -> Person:
    """Return a person with random joints in a VGA image; their left wrist is not known."""
    rng = np.random.default_rng(seed)
    xy = rng.uniform([100, 50], [400, 400], (J, 2))
    xyz = rng.normal([0, 0, 4], 0.4, (J, 3))
    lost = H36M_17.index('l_wrist')
    xy[lost], xyz[lost] = np.nan, np.nan
    root_covariance = np.diag([0.01, 0.01, 0.2])
    half = rng.normal(size=(J, 3, 3)) * 0.05
    state = np.full(J, JointState.MEASURED, np.uint8)
    state[lost] = JointState.INVALID
    return Person(
        'p1',
        TrackState.CONFIRMED,
        1.0,
        Box(250, 225, 300, 350, 0.9),
        Pose2D(xy, np.tile(np.diag([25.0, 9.0]), (J, 1, 1)), np.full(J, 0.8)),
        Pose3D(
            xyz,
            half @ half.transpose(0, 2, 1) + root_covariance,
            root_covariance,
            xyz + rng.normal(0, 0.03, (4, J, 3)),
            np.full(4, 0.25),
            state,
            ScaleSource.BODY_PRIOR,
        ),
    )


@pytest.fixture
def person() -> Callable[[int], Person]:
    """Return the function that makes people."""
    return somebody
