"""The rules of PoseTrack on cases whose answers are known by hand."""

import argparse
from dataclasses import replace
import json

from diffpose_ros import cli
from diffpose_ros.core.skeleton import POSETRACK_15
from diffpose_ros.data.formats.files import write_predictions
from diffpose_ros.data.formats.labels import FrameLabels, LabelFile, PersonLabels
from diffpose_ros.evaluate.posetrack import add_arguments, evaluate, pair_frames, run
from diffpose_ros.evaluate.posetrack_ap import (
    average_precision,
    head_sizes,
    inside,
    joint_ap,
    outside,
    table,
)
import numpy as np
import pytest

J = 15
POSE = np.stack([10.0 * np.arange(J), 7.0 * np.arange(J) ** 2 % 90], axis=1) + 50
HEAD = np.array([0.0, 0.0, 30.0, 40.0])  # diagonal 50, so size 30: a joint may be 15 px off
WRIST = POSETRACK_15.joints.index('l_wrist')


def person(xy=POSE, score=0.5, **more):
    return PersonLabels(np.array(xy, float), np.full(J, score), head=HEAD, **more)


def frame(*people, name='images/val/000001_bonn/000000.jpg', **more):
    return FrameLabels(name, 0, people, **more)


def moved(joint, pixels, xy=POSE):
    xy = np.array(xy)
    xy[joint] += pixels
    return xy


def ap(*pairs):
    return average_precision(pairs)


def test_a_perfect_prediction_scores_100_everywhere():
    result = ap((frame(person(), person(POSE + 300)), frame(person(POSE + 300), person())))
    np.testing.assert_array_equal(result, 100)
    assert set(table(result).values()) == {100}


def test_one_wrong_joint_costs_that_joint_alone():
    result = ap((frame(person()), frame(person(moved(WRIST, 100)))))
    assert result[WRIST] == 0
    assert np.delete(result, WRIST).tolist() == [100] * (J - 1)
    columns = table(result)
    assert columns['Wri'] == 50
    assert columns['Head'] == 100
    assert columns['Mean'] == pytest.approx(100 * 14 / 15)


def test_the_mean_is_over_joints_and_not_over_columns():
    result = np.zeros(J)
    result[POSETRACK_15.index('neck', 'nose', 'head_top')] = 100
    assert table(result)['Mean'] == pytest.approx(100 * 3 / 15)


@pytest.mark.parametrize(('pixels', 'expected'), [((15, 0), 100), ((15.01, 0), 0)])
def test_half_a_head_is_the_limit(pixels, expected):
    assert ap((frame(person()), frame(person(moved(WRIST, pixels)))))[WRIST] == expected


def test_a_head_is_six_tenths_of_its_boxs_diagonal():
    assert head_sizes([person()], 'frame') == pytest.approx(30)


def test_a_missing_person_halves_the_recall():
    result = ap((frame(person(), person(POSE + 300)), frame(person())))
    np.testing.assert_array_equal(result, 50)


@pytest.mark.parametrize(('score', 'expected'), [(0.1, 100), (0.9, 50)])
def test_a_duplicate_costs_what_its_score_says(score, expected):
    duplicate = person(POSE + 1, score)  # as right as the first, but too late
    result = ap((frame(person()), frame(person(), duplicate)))
    np.testing.assert_allclose(result, expected)


def test_the_better_of_two_duplicates_wins_whatever_the_order():
    worse = person(moved(WRIST, 100), 0.9)
    for people in [(worse, person()), (person(), worse)]:
        result = ap((frame(person()), frame(*people)))
        np.testing.assert_allclose(result, 50)  # the confident duplicate comes first


def test_a_prediction_runs_for_one_person_only():
    # it would also be the best for the neighbour, who shares half of the joints
    neighbour = np.array(POSE)
    neighbour[7:] += 300
    result = ap((frame(person(), person(neighbour)), frame(person())))
    np.testing.assert_array_equal(result, 50)


def test_a_prediction_runs_for_the_person_of_whom_it_has_the_largest_share():
    hand = np.full_like(POSE, np.nan)
    hand[:4] = POSE[:4] + 300  # 4 of 4 joints right beats 11 of 15
    found = np.concatenate([hand[:4], POSE[4:]])
    result = ap((frame(person(), person(hand)), frame(person(found))))
    assert result.tolist() == [50] * 4 + [0] * 11


def test_joints_that_are_not_labelled_do_not_count_but_guesses_at_them_are_wrong():
    half = np.array(POSE)
    half[WRIST] = np.nan
    result = ap(
        (frame(person(half)), frame(person(score=0.9))),
        (frame(person()), frame(person(score=0.1))),
    )
    assert result[WRIST] == 50
    assert np.delete(result, WRIST).tolist() == [100] * (J - 1)


def test_a_joint_that_nobody_labelled_has_no_precision():
    half = np.array(POSE)
    half[WRIST] = np.nan
    result = ap((frame(person(half)), frame(person())))
    assert np.isnan(result[WRIST])
    assert table(result)['Wri'] == 100  # the other wrist alone
    assert table(result)['Mean'] == 100


def test_joints_are_ranked_over_all_frames_by_their_own_scores():
    right, wrong = person(), person(POSE + 1000)
    scores = np.full(J, 0.9)
    scores[WRIST] = 0.1  # sure to be wrong elsewhere, unsure about the wrist
    wrong = replace(wrong, score=scores)
    result = ap((frame(person()), frame(right)), (frame(person()), frame(wrong)))
    assert result[WRIST] == 50  # right first: precision 1 up to recall 1/2
    assert np.delete(result, WRIST).tolist() == [25] * (J - 1)  # precision 1/2 up to recall 1/2


def test_precision_is_the_falling_hull_over_recall():
    # right, wrong, right, right of 4: 1/4 at precision 1, then 2/4 at precision 3/4
    score = np.array([0.9, 0.8, 0.7, 0.6])
    assert joint_ap(score, np.array([True, False, True, True]), 4) == pytest.approx(62.5)


def test_unlabelled_frames_do_not_count():
    empty = frame(labelled=False)
    result = ap((frame(person()), frame(person())), (empty, frame(person(score=0.9))))
    np.testing.assert_array_equal(result, 100)


def test_a_labelled_frame_without_people_makes_every_prediction_wrong():
    result = ap((frame(person()), frame(person())), (frame(), frame(person(score=0.9))))
    np.testing.assert_array_equal(result, 50)


def test_without_any_labelled_frame_there_is_nothing_to_evaluate():
    with pytest.raises(ValueError, match='no frame is labelled'):
        ap((frame(labelled=False), frame(person())))


def test_nobody_predicted_scores_0():
    np.testing.assert_array_equal(ap((frame(person()), frame())), 0)


def square(low, high):
    return np.array([[low, low], [high, low], [high, high], [low, high]], float)


def test_people_in_ignored_regions_count_neither_as_missed_nor_as_wrong():
    crowd = square(900, 2000)
    truth = frame(person(), person(POSE + 1000), ignored=(crowd,))
    np.testing.assert_array_equal(ap((truth, frame(person()))), 100)
    strangers = frame(person(), person(POSE + 950, 0.9), person(POSE + 1200, 0.9))
    np.testing.assert_array_equal(ap((truth, strangers)), 100)


def test_an_ignored_region_takes_single_joints():
    around_wrist = square(-3, 3) + POSE[WRIST]
    truth = frame(person(), ignored=(around_wrist,))
    result = ap((truth, frame(person())))
    assert np.isnan(result[WRIST])
    # a guess outside of the region is wrong, but nothing was to be found there
    assert np.isnan(ap((truth, frame(person(moved(WRIST, 50)))))[WRIST])


def test_whoever_has_no_joints_left_is_gone():
    assert outside([person()], [square(-1000, 1000)]) == []


def test_the_border_and_even_crossings_are_outside_of_a_region():
    points = np.array([[5, 5], [0, 5], [10, 10], [5, 0], [15, 5], [np.nan, 1]], float)
    assert inside(points, square(0, 10)).tolist() == [True, *[False] * 5]
    twice = np.concatenate([square(0, 10), square(0, 10)])
    assert not inside(points, twice).any()
    assert not inside(points, square(0, 10)[:2]).any()


def test_inside_agrees_with_an_independent_even_odd_rule():
    rng = np.random.default_rng(0)
    points = rng.uniform(-10, 110, (200, 2))
    for _ in range(20):
        polygon = rng.integers(0, 100, (rng.integers(3, 12), 2)).astype(float)
        expected = [winding_free(x, y, polygon) for x, y in points]
        assert inside(points, polygon).tolist() == expected


def winding_free(x, y, polygon):
    """Count the edges that a ray to the right crosses, one by one."""
    crossings = 0
    for (xa, ya), (xb, yb) in zip(polygon, np.roll(polygon, -1, axis=0), strict=True):
        if (ya > y) != (yb > y):
            crossings += x < xa + (y - ya) / (yb - ya) * (xb - xa)
    return crossings % 2 == 1


def test_an_empty_head_box_is_near_nothing():
    flat = replace(person(), head=np.array([5.0, 5.0, 5.0, 5.0]))
    np.testing.assert_array_equal(ap((frame(flat), frame(person()))), 0)


def test_labels_without_head_boxes_are_refused():
    with pytest.raises(ValueError, match='without a head box'):
        ap((frame(replace(person(), head=None)), frame(person())))


def clip(*frames, form='posetrack18', name='000001_bonn_test'):
    return LabelFile(name, form, frames)


def test_predictions_must_cover_every_frame_in_order():
    first, second = frame(person()), frame(person(), name='000001.jpg')
    with pytest.raises(ValueError, match='1 predicted frames, the labels have 2'):
        pair_frames(clip(first, second), clip(first))
    with pytest.raises(ValueError, match=r'predictions for 000001\.jpg'):
        pair_frames(clip(first, second), clip(second, first))


def test_a_track_id_may_not_be_twice_in_a_frame():
    twice = frame(person(track_id=3), person(track_id=3))
    with pytest.raises(ValueError, match='track_id twice'):
        pair_frames(clip(frame(person())), clip(twice))


@pytest.mark.parametrize(('form', 'expected'), [('posetrack18', 0), ('posetrack21', None)])
def test_posetrack21_alone_leaves_out_joints_beyond_the_border(form, expected):
    beyond = np.array(POSE)
    beyond[WRIST] = -20, 30
    pairs = pair_frames(clip(frame(person(beyond)), form=form), clip(frame(person(POSE))))
    wrist = average_precision(pairs)[WRIST]
    assert np.isnan(wrist) if expected is None else wrist == expected


@pytest.fixture
def folders(tmp_path):
    """Return labels of two videos and perfect predictions for them."""
    for name in ('000001_bonn_test', '000342_mpii_test'):
        document = labels_18(name, frames=3)
        path = tmp_path / 'labels' / f'{name}.json'
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps(document))
        people = (person(track_id=0), person(POSE + 300, track_id=1))
        frames = tuple(
            FrameLabels(image['file_name'], image['id'], people) for image in document['images']
        )
        write_predictions(tmp_path / 'found' / f'{name}.json', frames, 'posetrack18')
    return tmp_path / 'labels', tmp_path / 'found'


def labels_18(name, frames):
    order = [n.replace('l_', 'left_').replace('r_', 'right_') for n in POSETRACK_15.joints]
    order[12] = 'head_bottom'
    images = [
        {'id': i, 'file_name': f'images/val/{name}/{i:06}.jpg', 'is_labeled': True}
        for i in range(frames)
    ]
    people = [
        {
            'image_id': i,
            'track_id': k,
            'bbox_head': [10, 10, 30, 40],
            'keypoints': np.column_stack([POSE + shift, np.ones(J)]).ravel().tolist(),
        }
        for i in range(frames)
        for k, shift in enumerate((0, 300))
    ]
    categories = [{'name': 'person', 'keypoints': order}]
    return {'images': images, 'annotations': people, 'categories': categories}


def test_the_command_writes_the_table(folders, tmp_path):
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    out = tmp_path / 'new' / 'ap.json'
    labels, found = folders
    args = ['--ground-truth', str(labels), '--predictions', str(found), '--out', str(out)]
    assert run(parser.parse_args(args)) == 0
    report = json.loads(out.read_text())
    assert list(report['ap']) == 'Head Shou Elb Wri Hip Knee Ank Mean'.split()
    assert set(report['ap'].values()) == {100.0}
    assert (report['videos'], report['frames']) == (2, 6)
    assert (report['people'], report['predicted_people']) == (12, 12)


def test_the_command_says_which_prediction_is_missing(folders, tmp_path, capsys):
    labels, found = folders
    (found / '000342_mpii_test.json').unlink()
    args = ['--ground-truth', str(labels), '--predictions', str(found)]
    assert cli.main(['evaluate', 'posetrack', *args, '--out', str(tmp_path / 'ap.json')]) == 2
    message = capsys.readouterr().err.strip().splitlines()[-1]
    assert '000342_mpii_test.json cannot be read' in message


def test_an_empty_folder_of_labels_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r'holds no \.json files'):
        evaluate(tmp_path, tmp_path)


def test_predictions_without_scores_rank_last_and_are_told(folders, caplog):
    labels, found = folders
    path = found / '000001_bonn_test.json'
    document = json.loads(path.read_text())
    for entry in document['annotations']:
        del entry['scores']
    path.write_text(json.dumps(document))
    assert evaluate(labels, found)['ap']['Mean'] == 100
    assert '90 predicted joints have no score' in caplog.text
