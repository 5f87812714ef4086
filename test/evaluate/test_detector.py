"""Figures of the detector, from detections whose worth is known by hand."""

from diffpose_ros.cli import main
from diffpose_ros.core.people import Box
from diffpose_ros.core.share import find_shared
from diffpose_ros.evaluate.detector import film, look, measure
from diffpose_ros.offline.video import VideoWriter
import numpy as np
import pytest

PICTURE = np.zeros((100, 200, 3), np.uint8)
BODY = np.array([20.0, 10.0, 60.0, 90.0])
ANOTHER = BODY + np.array([100, 0, 100, 0])


def box(corners, score=0.9):
    left, top, right, bottom = corners
    return Box((left + right) / 2, (top + bottom) / 2, right - left, bottom - top, score)


class Finds:
    """A detector that finds the same boxes in every picture."""

    def __init__(self, *boxes):
        self.detect = lambda image: list(boxes)


def figures(boxes, bodies):
    return measure([look(Finds(*boxes), PICTURE, bodies)])


def test_a_perfect_detector_finds_everybody_and_nobody_else():
    result = figures([box(BODY)], [BODY])
    assert result['recall'] == result['precision'] == result['ap_50'] == 1
    assert result['false_per_picture'] == 0


def test_a_second_box_on_the_same_body_is_wrong():
    result = figures([box(BODY), box(BODY + 1, 0.8)], [BODY])
    assert (result['recall'], result['precision'], result['ap_50']) == (1, 0.5, 1)


def test_boxes_below_the_threshold_count_for_the_average_precision_alone():
    result = figures([box(BODY, 0.2)], [BODY])
    assert (result['recall'], result['ap_50']) == (0, 1)


@pytest.mark.parametrize(
    ('side', 'body'), [('left', [-60, 10, 40, 90]), ('below', [20, 60, 60, 190])]
)
def test_a_body_counts_as_far_as_the_picture_shows_it(side, body):
    shown = np.clip(np.array(body, float), 0, [199, 99] * 2)
    assert figures([box(shown)], [np.array(body, float)])['recall'] == 1


def test_a_body_beyond_the_picture_is_not_in_it():
    result = figures([box(BODY)], [BODY, BODY + 300])
    assert (result['people'], result['recall']) == (1, 1)


def test_average_precision_is_the_area_under_the_falling_hull_over_recall():
    boxes = [box(BODY, 0.9), box(BODY + 1, 0.8), box(ANOTHER, 0.7)]
    result = figures(boxes, [BODY, ANOTHER])
    assert result['ap_50'] == pytest.approx((1 + 2 / 3) / 2)


def test_labels_of_a_longer_video_are_refused(tmp_path):
    with VideoWriter(tmp_path / 'a.mp4', 200, 100) as writer:
        for i in range(3):
            writer.write(i / 30, PICTURE)
    np.savez(tmp_path / 'a.npz', joints_px=np.ones((4, 17, 2)))
    with pytest.raises(ValueError, match=r'labels 4 frames, but .*a\.mp4 has 3'):
        list(film(tmp_path / 'a.mp4', tmp_path / 'a.npz'))


@pytest.mark.parametrize(
    ('joints_px', 'told'),
    [
        (np.array(['a', 'b']), 'joints_px of <U1'),
        (np.ones((0, 17, 2)), 'no picture to measure'),
    ],
    ids=['strings', 'no frames'],
)
def test_labels_that_tell_nothing_are_refused(tmp_path, capsys, joints_px, told):
    video, labels = str(find_shared('demo/walk.mp4')), tmp_path / 'a.npz'
    np.savez(labels, joints_px=joints_px)
    words = ['--video', video, '--labels', str(labels), '--out', str(tmp_path / 'a.json')]
    assert main(['evaluate', 'detector', *words]) == 2
    assert told in capsys.readouterr().err


def test_where_nobody_is_there_is_nothing_to_find():
    result = figures([box(BODY)], [])
    assert (result['people'], result['recall'], result['ap_50']) == (0, 0, 0)
