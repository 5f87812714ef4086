"""`diffpose evaluate posetrack --images`: people estimated, and written for its evaluators."""

import json
import shutil

from diffpose_ros.cli import main
from diffpose_ros.core.checkpoint import load_checkpoint
from diffpose_ros.core.config import InferenceConfig
from diffpose_ros.core.people import Box
from diffpose_ros.core.skeleton import POSETRACK_15
from diffpose_ros.data.formats.labels import FrameLabels, PersonLabels
from diffpose_ros.evaluate.posetrack_people import PeopleEstimator
from diffpose_ros.video2d.estimator import VideoEstimator
import numpy as np
import pytest
import torch

J = len(POSETRACK_15.joints)
SHARE_BY_CHANCE = 5  # per cent


@pytest.fixture(scope='module')
def posetrack18(shared_data):
    return shared_data / 'samples' / 'posetrack18'


@pytest.mark.parametrize('boxes', ['labels', 'detector'])
def test_people_are_estimated_written_and_evaluated(posetrack18, tmp_path, boxes):
    labels, found = posetrack18 / 'annotations' / 'val', tmp_path / 'found'
    words = ['--ground-truth', str(labels), '--predictions', str(found), '--boxes', boxes]
    out = tmp_path / 'ap.json'
    words += ['--images', str(posetrack18), '--ensembles', '1', '--out', str(out)]
    assert main(['evaluate', 'posetrack', *words]) == 0
    report = json.loads(out.read_text())
    assert report['ap']['Mean'] > SHARE_BY_CHANCE
    assert [path.name for path in sorted(found.iterdir())] == [
        path.name for path in sorted(labels.glob('*.json'))
    ]
    for path in found.iterdir():
        told = json.loads(path.read_text())
        assert told['images'][0]['file_name'].endswith(f'{path.stem}/000000.jpg')
        scores = np.array([person['scores'] for person in told['annotations']])
        assert ((scores >= 0) & (scores <= 1)).all()
    if boxes == 'labels':
        assert report['predicted_people'] == report['people']


def test_predictions_do_not_overwrite_the_labels(posetrack18, tmp_path, capsys):
    labels = tmp_path / 'labels'
    shutil.copytree(posetrack18 / 'annotations' / 'val', labels)
    words = ['--ground-truth', str(labels), '--predictions', str(labels)]
    words += ['--images', str(posetrack18), '--out', str(tmp_path / 'ap.json')]
    before = {path.name: path.read_bytes() for path in labels.iterdir()}
    assert main(['evaluate', 'posetrack', *words]) == 2
    assert 'overwrite' in capsys.readouterr().err
    assert {path.name: path.read_bytes() for path in labels.iterdir()} == before


def test_the_frames_around_help_where_they_are_on_disk(posetrack18, tmp_path):
    video = posetrack18 / 'videos' / '000001_mpiinew_test'
    for name in ('000000.jpg', '000003.jpg'):
        shutil.copy(video / name, tmp_path / name)
    shutil.copy(video / '000003.jpg', tmp_path / '000103.jpg')  # the same picture, alone
    checkpoint = load_checkpoint('pose2d_compact', 'pose2d')
    estimator = VideoEstimator.from_checkpoint(checkpoint, torch.device('cpu'))
    people = PeopleEstimator(estimator, tmp_path, InferenceConfig(ensembles=1))
    nobody = np.full((J, 2), np.nan)
    nobody[0] = 300, 300
    someone = PersonLabels(nobody, np.ones(J), Box(400, 300, 200, 400))
    (windowed,), (alone,) = (
        people.people(FrameLabels(name, 0, (someone,))) for name in ('000003.jpg', '000103.jpg')
    )
    assert not np.allclose(windowed.xy, alone.xy, atol=0.01)
    assert np.abs(windowed.xy - alone.xy).max() < 200


def test_frames_that_nobody_labelled_stay_empty(posetrack18):
    checkpoint = load_checkpoint('pose2d_compact', 'pose2d')
    estimator = VideoEstimator.from_checkpoint(checkpoint, torch.device('cpu'))
    people = PeopleEstimator(estimator, posetrack18, InferenceConfig())
    assert people.people(FrameLabels('nowhere.jpg', 0, (), labelled=False)) == ()
