"""Results as files."""

import csv
import json

from diffpose_ros.core.people import FrameResult, InferenceInfo
from diffpose_ros.core.skeleton import H36M_17
from diffpose_ros.offline.results import from_json, to_json, write_csv, write_json
from diffpose_ros.offline.segments import Answer
import numpy as np
import pytest

INFO = InferenceInfo(1, 1, 2, 5, 14, 'm@1', degraded=frozenset({'NO_CAMERA_INFO'}))


@pytest.fixture
def answer(person) -> Answer:
    result = FrameResult(1_500_000_000, (person(0),), INFO, ('b0001',))
    return Answer(2_000_000_000, (640, 480), result)


def test_what_is_read_is_what_was_written_to_the_last_bit(answer):
    again = from_json(json.loads(json.dumps(to_json(answer), allow_nan=False)))
    assert to_json(again) == to_json(answer)
    (before,), (after,) = answer.result.people, again.result.people
    np.testing.assert_array_equal(after.pose3d.covariance, before.pose3d.covariance)
    np.testing.assert_array_equal(after.pose2d.xy, before.pose2d.xy)
    assert after.pose3d.state.dtype == np.uint8
    assert again.result.info == INFO


def test_the_json_file_holds_every_image(answer, tmp_path):
    write_json(tmp_path / 'a.json', [answer, answer], H36M_17)
    document = json.loads((tmp_path / 'a.json').read_text())
    assert document['joints'] == list(H36M_17.joints)
    assert [frame['time_ns'] for frame in document['frames']] == [2_000_000_000] * 2
    lost = H36M_17.joints.index('l_wrist')
    assert document['frames'][0]['people'][0]['pose3d']['xyz'][lost] == [None] * 3


def test_the_table_has_a_row_per_joint_and_empty_cells_for_what_is_unknown(answer, tmp_path):
    write_csv(tmp_path / 'a.csv', [answer], H36M_17)
    rows = list(csv.DictReader((tmp_path / 'a.csv').open()))
    assert [row['joint'] for row in rows] == list(H36M_17.joints)
    pose = answer.result.people[0].pose3d
    assert float(rows[0]['x_m']) == pytest.approx(pose.xyz[0, 0], abs=1e-4)
    assert float(rows[0]['sd_z_m']) == pytest.approx(pose.covariance[0, 2, 2] ** 0.5, abs=1e-4)
    lost = rows[H36M_17.joints.index('l_wrist')]
    assert (lost['x_m'], lost['x_px'], lost['joint_state']) == ('', '', '0')
