"""The PointCloud2 twin, read by what the message itself says of its layout."""

from dataclasses import replace

from bystander import wait_for
from diffpose_ros.core.people import JointState, ScaleSource
from diffpose_ros.core.skeleton import H36M_17
from diffpose_ros.ros.points import point_cloud
import numpy as np
import pytest
from sensor_msgs.msg import PointCloud2, PointField
from standin_pipeline import J, person
from std_msgs.msg import Header

pytestmark = pytest.mark.ros
TYPES = {PointField.FLOAT32: 'f4', PointField.UINT16: 'u2'}


def read(cloud):
    """Return the points as a structured array, by the fields of the message."""
    layout = {
        'names': [field.name for field in cloud.fields],
        'formats': ['<' + TYPES[field.datatype] for field in cloud.fields],
        'offsets': [field.offset for field in cloud.fields],
        'itemsize': cloud.point_step,
    }
    assert cloud.row_step == cloud.width * cloud.point_step == len(cloud.data)
    return np.frombuffer(bytes(cloud.data), np.dtype(layout))


def test_every_valid_joint_is_a_point_with_its_numbers():
    people = [person('p1'), person('p2', seed=1)]
    points = read(point_cloud(people, Header(frame_id='camera')))
    assert len(points) == 2 * (J - 1)
    for index, someone in enumerate(people):
        mine = points[points['person'] == index]
        body, joints = someone.pose3d, mine['joint']
        assert set(joints) == set(range(J)) - {H36M_17.joints.index('l_wrist')}
        xyz = np.stack([mine[axis] for axis in 'xyz'], axis=1)
        np.testing.assert_allclose(xyz, body.xyz[joints], rtol=1e-6)
        np.testing.assert_allclose(mine['score'], someone.pose2d.score[joints], rtol=1e-6)
        variances = np.linalg.eigvalsh(body.covariance[joints])
        np.testing.assert_allclose(mine['sigma'] ** 2, variances.mean(axis=1), rtol=1e-4)


def test_people_without_3d_and_invalid_joints_give_no_points():
    someone = person()
    nobody = replace(someone, pose3d=None)
    invalid = np.full(J, JointState.INVALID, np.uint8)
    unknown = replace(someone, pose3d=replace(someone.pose3d, state=invalid))
    cloud = point_cloud([nobody, unknown], Header())
    assert (cloud.width, len(read(cloud))) == (0, 0)
    assert [field.name for field in cloud.fields][:3] == ['x', 'y', 'z']


def test_somebody_without_scale_is_not_put_at_the_camera():
    someone = person()
    relative = replace(someone.pose3d, scale_source=ScaleSource.NONE)
    cloud = point_cloud([replace(someone, pose3d=relative), someone], Header())
    assert set(read(cloud)['person']) == {1}


def test_an_independent_reader_reads_it():
    reader = pytest.importorskip(
        'sensor_msgs_py.point_cloud2', reason='sensor_msgs_py comes with ROS, not with pip'
    )
    points = reader.read_points(point_cloud([person()], Header()))
    np.testing.assert_allclose(points['z'], person().pose3d.xyz[points['joint'], 2], rtol=1e-6)


def test_points_are_computed_only_for_listeners(graph, monkeypatch):
    made = []

    def make(people, header):
        made.append(header.stamp.sec)
        return point_cloud(people, header)

    monkeypatch.setattr('diffpose_ros.ros.outputs.point_cloud', make)
    g = graph().bring_up()
    timing = g.listen('timing')
    g.bystander.show(stamp_s=1)
    wait_for(lambda: len(timing) == 1)
    clouds = g.listen('points')
    g.bystander.show(stamp_s=2, frame_id='camera')
    (cloud,) = wait_for(lambda: clouds)
    assert made == [2]
    assert isinstance(cloud, PointCloud2)
    assert (cloud.header.frame_id, cloud.header.stamp.sec, cloud.width) == ('camera', 2, J - 1)
