"""Labels are read as their data sets mean them, predictions written as evaluators want them."""

import json

from diffpose_ros.core.people import Box
from diffpose_ros.core.skeleton import POSETRACK_15
from diffpose_ros.data.formats.coco import POSETRACK_ORDER
from diffpose_ros.data.formats.files import (
    PREDICTION_FORMATS,
    read_labels,
    write_predictions,
)
from diffpose_ros.data.formats.labels import FrameLabels, NO_SCORE, PersonLabels
import numpy as np
import pytest

FRAME_17 = {
    'image': [{'name': 'images/bonn/000001_bonn/00000001.jpg'}],
    'imgnum': [1],
    'is_labeled': [1],
    'ignore_regions': [
        {'point': [{'x': [0], 'y': [1]}, {'x': [5], 'y': [1]}, {'x': [5], 'y': [9]}]}
    ],
    'annorect': [
        {
            'x1': [625], 'y1': [94], 'x2': [681], 'y2': [178], 'track_id': [4],
            'annopoints': [
                {
                    'point': [
                        {'id': [0], 'x': [394], 'y': [173], 'score': [0.7]},
                        {'id': [14], 'x': [1.5], 'y': [2.5]},
                        {'id': [0], 'x': [9], 'y': [9]},
                    ]
                }
            ],
        },
        {'x1': [1], 'y1': [1], 'x2': [2], 'y2': [2], 'track_id': [5], 'annopoints': []},
        {'x1': [1], 'y1': [1], 'x2': [2], 'y2': [2], 'track_id': [6]},
    ],
}  # fmt: skip
EMPTY_17 = {'image': [{'name': 'images/bonn/000001_bonn/00000002.jpg'}], 'annorect': []}


def joint(person, name):
    return person.xy[POSETRACK_15.joints.index(name)].tolist()


def saved(tmp_path, document):
    path = tmp_path / '000001_bonn.json'
    path.write_text(document if isinstance(document, str) else json.dumps(document))
    return path


def test_posetrack17_gives_joints_heads_tracks_and_regions(tmp_path):
    labels = read_labels(saved(tmp_path, {'annolist': [FRAME_17, EMPTY_17]}))
    assert (labels.name, labels.format, labels.is_video) == ('000001_bonn', 'posetrack17', True)
    frame, empty = labels.frames
    person, *pointless = frame.people
    assert person.labelled.sum() == 2
    assert joint(person, 'r_ankle') == [394, 173]  # the first of two points for one joint
    assert joint(person, 'head_top') == [1.5, 2.5]
    assert person.score[[0, 14]].tolist() == [0.7, NO_SCORE]
    assert (person.head.tolist(), person.track_id) == ([625, 94, 681, 178], 4)
    assert not any(p.labelled.any() for p in pointless)
    assert frame.ignored[0].tolist() == [[0, 1], [5, 1], [5, 9]]
    assert (frame.labelled, empty.labelled) == (True, False)


def test_posetrack18_gives_joints_heads_tracks_and_regions(shared_data):
    folder = shared_data / 'samples' / 'posetrack18' / 'annotations'
    labels = read_labels(folder / 'val' / '003418_mpii_test.json')
    assert (labels.format, labels.is_video) == ('posetrack18', True)
    (frame,) = labels.frames
    assert frame.name == 'images/val/003418_mpii_test/000000.jpg'
    assert (frame.number, frame.labelled, len(frame.ignored)) == (10034180000, True, 9)
    assert frame.ignored[0][:2].tolist() == [[0, 639], [1, 647]]
    (person,) = frame.people
    assert person.labelled.sum() == 11
    assert joint(person, 'nose') == [621, 471]
    assert joint(person, 'neck') == [542.2835693, 599.2855835]
    assert joint(person, 'r_shoulder') == [753, 579]
    assert not person.labelled[POSETRACK_15.joints.index('l_wrist')]
    assert person.head.tolist() == [346, 337, 346 + 296, 337 + 237]
    assert (person.track_id, person.box) == (0, Box(893.5, 561, 1358.5, 1092))
    assert (person.score == NO_SCORE).all()
    whole = read_labels(folder / 'test_posetrack18_val.json')
    assert [len(frame.people) for frame in whole.frames] == [11, 2, 1]


def test_coco_has_neither_neck_nor_head_top_and_no_neighbours(shared_data):
    labels = read_labels(shared_data / 'samples' / 'coco' / 'test_coco.json')
    assert (labels.format, labels.is_video, len(labels.frames)) == ('coco', False, 4)
    person = labels.frames[0].people[0]
    assert joint(person, 'nose') == [367, 81]
    assert person.labelled.sum() == 13
    assert not person.labelled[POSETRACK_15.index('neck', 'head_top')].any()
    assert person.box.width == 218.7


def test_in_coco_a_joint_of_visibility_0_is_not_labelled_wherever_it_is(tmp_path):
    person = {'image_id': 7, 'keypoints': [50, 60, 0, 70, 80, 1], 'bbox': [0, 0, 99, 99]}
    document = {
        'images': [{'id': 7, 'file_name': '000007.jpg'}],
        'annotations': [person],
        'categories': [{'name': 'person', 'keypoints': ['left_hip', 'right_hip']}],
    }
    (person,) = read_labels(saved(tmp_path, document)).frames[0].people
    assert joint(person, 'r_hip') == [70, 80]
    assert person.labelled.sum() == 1


def test_jhmdb_counts_pixels_from_1(shared_data):
    labels = read_labels(shared_data / 'samples' / 'jhmdb' / 'test_jhmdb_sub1.json')
    assert (labels.format, labels.is_video) == ('jhmdb', True)
    (person,) = labels.frames[0].people
    np.testing.assert_allclose(joint(person, 'neck'), [97.851746, 91.59851])
    np.testing.assert_allclose(joint(person, 'l_ankle'), [86.838304, 190.933582])
    assert person.labelled.sum() == 13  # its head is neither nose nor head_top
    assert person.box == Box(105, 140.5, 54, 159)


def posetrack21(**image):
    table = np.array([[50 + k, 60, 0] for k in range(17)])  # occluded joints are labelled too
    table[3:5] = 0
    person = {
        'image_id': 7, 'track_id': 2, 'person_id': 99, 'bbox_head': [1, 2, 3, 4],
        'bbox': [0, 0, 9, 9], 'keypoints': table.ravel().tolist(),
    }  # fmt: skip
    image = {'id': 7, 'file_name': 'images/val/000001_bonn_val/000000.jpg', **image}
    categories = [{'name': 'person', 'keypoints': POSETRACK_ORDER}]
    return {'images': [image], 'annotations': [person], 'categories': categories}


@pytest.mark.parametrize('is_labeled', [True, False])
def test_posetrack21_says_itself_which_frames_are_labelled(tmp_path, is_labeled):
    document = posetrack21(is_labeled=is_labeled, has_labeled_person=True)
    labels = read_labels(saved(tmp_path, document))
    assert labels.format == 'posetrack21'
    assert labels.frames[0].labelled == is_labeled
    assert labels.frames[0].people[0].labelled.all()


def predictions(rng, form):
    xy = rng.uniform(1, 500, (15, 2))
    xy[[3, 13]] = np.nan
    box = Box(10.0, 20.0, 30.0, 40.0, 0.75)
    people = tuple(PersonLabels(xy + k, rng.random(15), box, None, 7 * k) for k in range(2))
    first = 0 if form == 'posetrack17' else 10000010000
    names = [f'images/val/000001_bonn_val/{i:06}.jpg' for i in range(2)]
    return tuple(FrameLabels(name, first + i, people[: 2 - 2 * i]) for i, name in enumerate(names))


@pytest.mark.parametrize('form', PREDICTION_FORMATS)
def test_predictions_come_back_as_they_were_written(tmp_path, form):
    frames = predictions(np.random.default_rng(0), form)
    write_predictions(tmp_path / 'new' / 'clip.json', frames, form)
    labels = read_labels(tmp_path / 'new' / 'clip.json')
    assert labels.format == form
    assert [(f.name, f.number) for f in labels.frames] == [(f.name, f.number) for f in frames]
    assert labels.frames[1].people == ()
    for found, person in zip(labels.frames[0].people, frames[0].people, strict=True):
        np.testing.assert_array_equal(found.xy, person.xy)
        there = person.labelled
        np.testing.assert_array_equal(found.score[there], person.score[there])
        assert found.track_id == person.track_id
        assert form == 'posetrack17' or found.box == person.box


def test_written_files_have_the_fields_of_the_published_examples(tmp_path):
    rng = np.random.default_rng(0)
    for form in PREDICTION_FORMATS:
        write_predictions(tmp_path / f'{form}.json', predictions(rng, form), form)
    old, new, newest = (
        json.loads((tmp_path / f'{form}.json').read_text()) for form in PREDICTION_FORMATS
    )
    rectangle = old['annolist'][0]['annorect'][0]
    assert set(rectangle) == {'x1', 'y1', 'x2', 'y2', 'score', 'track_id', 'annopoints'}
    point = rectangle['annopoints'][0]['point'][0]
    assert set(point) == {'id', 'x', 'y', 'score'}
    assert all(isinstance(value, list) and len(value) == 1 for value in point.values())
    assert new['categories'][0]['keypoints'] == POSETRACK_ORDER
    person = new['annotations'][0]
    assert (len(person['keypoints']), len(person['scores'])) == (51, 17)
    assert person['keypoints'][9:15] == [0] * 6  # ears
    assert person['bbox'] == [-5, 0, 30, 40]
    assert new['images'][0]['vid_id'] == '000001'
    assert newest['annotations'][0]['person_id'] == newest['annotations'][0]['track_id']


def test_people_whom_the_official_evaluators_refuse_are_not_written(tmp_path):
    (frame, _) = predictions(np.random.default_rng(0), 'posetrack18')
    first, second = frame.people
    path = tmp_path / 'x.json'
    for people, words in [
        ((first, first), 'each number once'),
        ((PersonLabels(first.xy, first.score),), 'from 0 to 999'),
        ((PersonLabels(first.xy, first.score, track_id=1000),), 'from 0 to 999'),
        ((PersonLabels(np.full((15, 2), np.nan), second.score, track_id=1),), 'without joints'),
    ]:
        with pytest.raises(ValueError, match=words):
            write_predictions(path, (FrameLabels('a.jpg', 0, people),), 'posetrack18')
    with pytest.raises(ValueError, match='posetrack17'):
        write_predictions(path, (frame,), 'coco')
    assert not path.exists()


def test_a_person_without_a_box_gets_the_tight_one(tmp_path):
    xy = np.array([[k, 2 * k] for k in range(15)], float)
    person = PersonLabels(xy, np.ones(15), track_id=0)
    write_predictions(tmp_path / 'x.json', (FrameLabels('a.jpg', 0, (person,)),), 'posetrack18')
    assert read_labels(tmp_path / 'x.json').frames[0].people[0].box == Box(7, 14, 14, 28)


def broken_17(**point):
    person = {'annopoints': [{'point': [{'id': [0], 'x': [1], 'y': [1], **point}]}]}
    return {'annolist': [{'image': [{'name': 'a.jpg'}], 'annorect': [person]}]}


def without_names():
    document = posetrack21()
    document['images'][0]['file_name'] = 3
    return document


def broken_18(**changes):
    document = posetrack21()
    document['annotations'][0].update(changes)
    return document


@pytest.mark.parametrize(
    ('document', 'words'),
    [
        ('{', 'is not JSON'),
        ('\udcff'.encode('utf-8', 'surrogateescape').decode('latin-1'), 'is not JSON'),
        ([], 'neither annolist nor images'),
        ({'boxes': []}, 'neither annolist nor images'),
        ({'annolist': [{}]}, "lacks 'annorect'"),
        ({'annolist': [{'annorect': [], 'image': []}]}, 'index out of range'),
        ({'annolist': 5}, 'int'),
        ({'images': []}, "lacks 'annotations'"),
        ({'images': [5], 'annotations': []}, 'int'),
        (broken_18(keypoints=[1, 2, 3]), r'keypoints has shape \(3,\), expected 51 numbers'),
        (broken_18(scores=[0.5]), 'expected 17 numbers'),
        (broken_18(keypoints='none'), 'could not convert'),
        (broken_18(image_id=8), 'image_id 8'),
        (broken_18(scores=[None] * 17), 'scores has null or NaN'),
        (broken_18(keypoints=[float('nan')] * 51), 'keypoints has null or NaN'),
        (broken_18(track_id=[1]), r'track_id is \[1\], expected a number'),
        (without_names(), 'the name of a picture is 3'),
        (broken_17(score=[None]), 'score has null or NaN'),
        (broken_17(x=[float('nan')]), 'x has null or NaN'),
        (broken_17(y=[]), r'y has shape \(0,\), expected 1 numbers'),
    ],
)
def test_broken_files_give_one_clear_error(tmp_path, document, words):
    path = saved(tmp_path, document)
    with pytest.raises(ValueError, match=words) as error:
        read_labels(path)
    assert str(path) in str(error.value)


def test_files_of_other_labels_are_refused(shared_data, tmp_path):
    samples = shared_data / 'samples'
    with pytest.raises(ValueError, match='expected 51 numbers'):
        read_labels(samples / 'coco' / 'test_keypoint_partition_metric.json')
    with pytest.raises(ValueError, match='neither annolist nor images'):
        read_labels(samples / 'coco' / 'test_coco_det_AP_H_56.json')
    with pytest.raises(ValueError, match='cannot be read'):
        read_labels(tmp_path / 'absent.json')
