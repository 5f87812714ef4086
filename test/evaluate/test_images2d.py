import io
import tarfile

import cv2
from diffpose_ros import cli
from diffpose_ros.core.crop import Crop
from diffpose_ros.core.people import Box
from diffpose_ros.core.skeleton import POSETRACK_15
from diffpose_ros.data.labelled import People
from diffpose_ros.evaluate.images2d import measure, predict
from diffpose_ros.video2d.estimator import Pose2DBatch
import numpy as np
import pytest

J = len(POSETRACK_15.joints)
SIZE = (144, 192)


class Oracle:
    """Knows the joints of each person, in crop pixels, and is off by a given distance."""

    def __init__(self, people: People, off_px: float) -> None:
        self.people, self.off_px, self.next = people, off_px, 0

    def __call__(self, cuts: np.ndarray) -> Pose2DBatch:
        assert cuts.shape[1:] == (192, 144, 3)
        rows = range(self.next, self.next + len(cuts))
        self.next += len(cuts)
        xy = []
        for i in rows:
            known = self.people.xy[i][self.people.labelled[i]]
            crop = Crop.around(Box.around(known), SIZE)
            xy.append(crop.to_crop(self.people.xy[i] + [self.off_px, 0]))
        flat = np.broadcast_to(np.eye(2), (len(xy), J, 2, 2))
        return Pose2DBatch(np.stack(xy), flat, np.ones((len(xy), J)))


def crowd(count: int) -> People:
    rng = np.random.default_rng(0)
    xy = rng.uniform(30, 170, (count, J, 2)).astype(np.float32)
    shoulder, hip = POSETRACK_15.index('r_shoulder', 'l_hip')
    xy[:, shoulder], xy[:, hip] = (100, 60), (100, 110)  # a torso of 50 pixels
    labelled = rng.random((count, J)) < 0.8
    labelled[:, [shoulder, hip]] = True
    pictures = [np.zeros((200, 200, 3), np.uint8)] * count
    return People(pictures, xy, labelled, np.arange(count), [[]] * count)


@pytest.mark.parametrize(('off_px', 'share'), [(0, 1.0), (9.9, 1.0), (10.1, 0.0)])
def test_an_oracle_scores_what_its_error_deserves(off_px, share):
    people = crowd(5)
    result = measure(people, predict(Oracle(people, off_px), SIZE, people, batch=2))
    assert result['pck'] == share
    assert set(result['pck_per_joint'].values()) == {share}
    assert result['people'] == 5
    assert result['ece'] == pytest.approx(1 - share)


def test_covariances_are_in_pixels_of_the_picture():
    people = crowd(1)
    found = predict(Oracle(people, 0), SIZE, people)
    crop = Crop.around(Box.around(people.xy[0][people.labelled[0]]), SIZE)
    np.testing.assert_allclose(found.covariance[0, 0], np.diag(crop.scale**2))
    np.testing.assert_allclose(found.crop_covariance[0, 0], np.eye(2))


@pytest.fixture
def files(tmp_path):
    """Return the options that name one picture and its labels, file number 9."""
    with tarfile.open(tmp_path / 'a.tar', 'w') as archive:
        data = cv2.imencode('.png', np.zeros((20, 20, 3), np.uint8))[1].tobytes()
        info = tarfile.TarInfo('im00009.png')
        info.size = len(data)
        archive.addfile(info, io.BytesIO(data))
    np.savez(
        tmp_path / 'a.npz',
        filenames=['im00009.png'],
        joints_px=np.ones((1, J, 2)),
        joint_names=POSETRACK_15.joints,
    )
    named = ['--images', str(tmp_path / 'a.tar'), '--labels', str(tmp_path / 'a.npz')]
    return [*named, '--out', str(tmp_path / 'a.json')]


@pytest.mark.parametrize(
    ('options', 'words'),
    [
        (['--fold', 'validation'], 'a.npz labels nobody to measure'),
        (['--steps', '0'], 'steps = 0; set it between 1 and'),
        (['--ensembles', '0'], 'ensembles = 0; set it between 1 and'),
    ],
)
def test_what_cannot_be_measured_is_told(files, capsys, options, words):
    assert cli.main(['evaluate', 'images2d', *files, *options]) == 2
    assert words in capsys.readouterr().err
