"""Skeletons as a PointCloud2, for tools that do not have our messages: one point per joint."""

from array import array
from collections.abc import Iterable

from diffpose_ros.core.people import JointState, Person, ScaleSource
import numpy as np
from sensor_msgs.msg import PointCloud2, PointField
from std_msgs.msg import Header

POINT = np.dtype(
    {
        'names': ['x', 'y', 'z', 'sigma', 'score', 'joint', 'person'],
        'formats': ['<f4', '<f4', '<f4', '<f4', '<f4', '<u2', '<u2'],
    }
)
KINDS = {'<f4': PointField.FLOAT32, '<u2': PointField.UINT16}
FIELDS = [
    PointField(name=name, offset=offset, datatype=KINDS[kind.str], count=1)
    for name, (kind, offset) in POINT.fields.items()
]


def point_cloud(people: Iterable[Person], header: Header) -> PointCloud2:
    """
    Return the joints of all people that have a place in space.

    x y z   metres, frame of the header
    sigma   metres, root mean square of the deviations along three axes; NaN = unknown
    score   0 to 1, that of the joint in the image
    joint   index into SkeletonInfo.joint_names
    person  index into SkeletonArray.skeletons of the same stamp
    """
    clouds = [_points(person, i) for i, person in enumerate(people)]
    points = np.concatenate([np.zeros(0, POINT), *clouds])
    data = array('B')
    data.frombytes(points.tobytes())
    return PointCloud2(
        header=header,
        height=1,
        width=len(points),
        fields=FIELDS,
        point_step=POINT.itemsize,
        row_step=points.nbytes,
        data=data,
        is_dense=True,
    )


def _points(person: Person, index: int) -> np.ndarray:
    """Return the valid joints (n,) of one person as POINT."""
    pose = person.pose3d
    if pose is None or pose.scale_source == ScaleSource.NONE:
        return np.zeros(0, POINT)
    joints = np.flatnonzero((pose.state != JointState.INVALID) & np.isfinite(pose.xyz).all(axis=1))
    points = np.zeros(len(joints), POINT)
    for axis, name in enumerate('xyz'):
        points[name] = pose.xyz[joints, axis]
    points['sigma'] = np.sqrt(np.trace(pose.covariance[joints], axis1=1, axis2=2) / 3)
    points['score'] = 0.0 if person.pose2d is None else person.pose2d.score[joints]
    points['joint'], points['person'] = joints, index
    return points
