from itertools import islice

import cv2
from diffpose_ros.core.checkpoint import load_checkpoint
from diffpose_ros.core.config import DetectorConfig
from diffpose_ros.core.detector import body_corners, keep_distinct, peaks, PersonDetector
from diffpose_ros.core.detector_network import boxes_of_cells, DetectorNetwork
from diffpose_ros.core.people import corners_of, overlaps
from diffpose_ros.core.pipeline import load_detector
from diffpose_ros.core.share import find_shared
from diffpose_ros.offline.video import VideoReader
from diffpose_ros.video2d.layers import fold_batch_norms
import numpy as np
import pytest
import torch

CPU = torch.device('cpu')


def small_network():
    return DetectorNetwork((4, 8, 8, 16, 16), (0, 1, 1, 1, 1), 8).eval()


class BrightPatchFinder(DetectorNetwork):
    """Sees one person: everything brighter than 0.9, exactly boxed."""

    def __init__(self):
        super().__init__((4, 4, 4, 4, 4), (0, 0, 0, 0, 0), 4)

    def forward(self, images):
        rows, columns = images.shape[2] // 8, images.shape[3] // 8
        y, x = torch.nonzero(images[0, 0] > 0.9).T.float()
        logits = torch.full((1, rows, columns), -9.0)
        logits[0, int(y.mean() + 0.5) // 8, int(x.mean() + 0.5) // 8] = 9.0
        corners = torch.stack([x.min() - 0.5, y.min() - 0.5, x.max() + 0.5, y.max() + 0.5])
        return logits, corners.view(1, 4, 1, 1).expand(1, 4, rows, columns)


def test_the_shipped_size_has_at_most_one_and_a_half_million_parameters():
    network = DetectorNetwork((16, 24, 64, 96, 128), (0, 1, 1, 2, 2), 64)
    assert sum(p.numel() for p in network.parameters()) <= 1.5e6


def test_a_cell_without_offset_gives_a_box_of_64_pixels_around_its_own_middle():
    boxes = boxes_of_cells(torch.zeros(1, 4, 3, 5))
    # cell (row 1, column 2) covers pixels 16..23 across and 8..15 down
    torch.testing.assert_close(
        boxes[0, :, 1, 2], torch.tensor([19.5 - 32, 11.5 - 32, 19.5 + 32, 11.5 + 32])
    )


def test_folding_the_batch_norms_changes_nothing():
    network = small_network()
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            torch.nn.init.uniform_(module.running_mean)
            torch.nn.init.uniform_(module.running_var, 0.5, 2)
    images = torch.rand(2, 3, 64, 96)
    before = network(images)
    fold_batch_norms(network)
    assert not any(isinstance(m, torch.nn.BatchNorm2d) for m in network.modules())
    for a, b in zip(before, network(images), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize('size', [(480, 640), (1920, 1088), (337, 211), (100, 90), (720, 1280)])
def test_boxes_come_back_in_the_pixels_of_any_picture(size):
    height, width = size
    image = np.zeros((height, width, 3), np.uint8)
    top, left = height // 4, width // 3
    bottom, right = 3 * height // 4, width // 2
    image[top:bottom, left:right] = 255
    (box,) = PersonDetector(BrightPatchFinder(), CPU).detect(image)
    tolerance = 0.5 + max(height, width) / 288  # one pixel of the network
    expected = [left - 0.5, top - 0.5, right - 0.5, bottom - 0.5]
    np.testing.assert_allclose(box.corners, expected, atol=tolerance)
    assert box.score == pytest.approx(1, abs=1e-3)


def test_peaks_are_the_cells_that_no_neighbour_surpasses_best_first():
    score = torch.tensor([[0.1, 0.5, 0.2, 0.0, 0.6], [0.2, 0.3, 0.1, 0.0, 0.1]])
    corners = torch.arange(10.0).view(1, 2, 5).expand(4, 2, 5)
    scores, boxes = peaks(score, corners, lowest=0.3)
    np.testing.assert_allclose(scores, [0.6, 0.5])
    np.testing.assert_allclose(boxes[:, 0], [4, 1])


def test_duplicates_and_body_parts_go_but_neighbours_stay():
    boxes = np.array(
        [
            [0.0, 0, 10, 30],  # a person
            [1.0, 0, 11, 30],  # the same again
            [12.0, 0, 22, 30],  # the neighbour
            [2.0, 2, 8, 10],  # the person's head, unsure
        ]
    )
    assert keep_distinct(boxes, np.array([0.9, 0.8, 0.7, 0.3])) == [0, 2]


def test_a_small_person_before_a_large_one_stays_when_it_is_as_sure():
    boxes = np.array([[0.0, 0, 100, 300], [30, 200, 60, 290]])
    assert keep_distinct(boxes, np.array([0.8, 0.7])) == [0, 1]


def test_the_body_box_reaches_beyond_the_joints_by_a_share_of_the_longer_side():
    corners = body_corners(np.array([[10.0, 0.0], [20.0, 100.0]]))
    np.testing.assert_allclose(corners, [5, -5, 25, 105])


@pytest.fixture(scope='module')
def packaged():
    return PersonDetector.from_checkpoint(load_checkpoint('detector_compact', 'detector'), CPU)


@pytest.mark.parametrize(('longer_side', 'least', 'most'), [(288, 0, 4), (576, 10, 16)])
def test_a_larger_view_finds_people_far_away(longer_side, least, most):
    detector = load_detector(DetectorConfig(longer_side=longer_side), CPU)
    joints = np.load(find_shared('demo/walk.npz'))['joints_px'].reshape(164, -1, 2)
    found, images = 0, islice(VideoReader(find_shared('demo/walk.mp4')), 0, 160, 10)
    for body_joints, (_, image) in zip(joints[::10], images, strict=False):
        far = np.full_like(image, 90)
        far[-48:, :64] = cv2.resize(image, (64, 48), interpolation=cv2.INTER_AREA)
        body = body_corners(body_joints / 10 + np.array([0, 432]))  # a 20th of the width tall
        boxes = [box.corners for box in detector.detect(far) if box.score > 0.4]
        (iou,), _ = overlaps(body[None], np.reshape(boxes, (-1, 4)))
        found += iou.max(initial=0) > 0.5
    assert least <= found <= most


def test_nobody_is_found_where_nobody_is(packaged):
    rng = np.random.default_rng(0)
    noise = rng.integers(0, 256, (240, 320, 3), dtype=np.uint8)
    ramp = np.tile(np.linspace(0, 255, 320, dtype=np.uint8)[None, :, None], (240, 1, 3))
    for image in (noise, ramp):
        assert not [box for box in packaged.detect(image) if box.score > 0.4]


def test_results_are_the_same_every_time(packaged):
    image = np.random.default_rng(1).integers(0, 256, (480, 640, 3), dtype=np.uint8)
    assert packaged.detect(image) == packaged.detect(image)


def test_half_as_long_numbers_give_narrow_pictures_the_same_answer_every_time():
    checkpoint = load_checkpoint('detector_compact', 'detector')
    shorter = PersonDetector.from_checkpoint(checkpoint, CPU, torch.bfloat16)
    _, image = next(iter(VideoReader(find_shared('demo/crossing.mp4'))))
    narrow = np.ascontiguousarray(image[:480, :100])
    answers = []
    for _ in range(5):  # in memory that others left behind
        left = [torch.full((10**n,), np.nan, dtype=torch.bfloat16) for n in range(3, 7)]
        del left
        answers.append(shorter.detect(narrow))
    assert answers == answers[:1] * 5


def test_the_packaged_detector_finds_the_man_of_the_balancing_clip(packaged, shared_data):
    labels = np.load(shared_data / 'clips' / 'balancing_cam03.npz')['joints_px']
    found = []
    frames = VideoReader(shared_data / 'clips' / 'balancing_cam03.mp4')
    for i, (_, image) in enumerate(frames):
        if i % 20 == 0:
            boxes = [box.corners for box in packaged.detect(image) if box.score > 0.4]
            (iou,), _ = overlaps(body_corners(labels[i])[None], np.reshape(boxes, (-1, 4)))
            found.append(iou.max(initial=0) > 0.5)
    assert sum(found) >= 4


def test_the_clip_picture_padded_to_a_square_gives_the_same_person(packaged, shared_data):
    _, image = next(iter(VideoReader(shared_data / 'clips' / 'balancing_cam03.mp4')))
    height, width = image.shape[:2]
    square = np.pad(image, ((0, 0), (0, height - width), (0, 0)), constant_values=128)
    one, other = packaged.detect(image)[0], packaged.detect(square)[0]
    assert overlaps(corners_of([one]), corners_of([other]))[0] > 0.8


def test_half_as_long_numbers_find_the_same_person(packaged, shared_data):
    _, image = next(iter(VideoReader(shared_data / 'clips' / 'balancing_cam03.mp4')))
    checkpoint = load_checkpoint('detector_compact', 'detector')
    shorter = PersonDetector.from_checkpoint(checkpoint, CPU, torch.bfloat16)
    one, other = packaged.detect(image)[0], shorter.detect(image)[0]
    assert overlaps(corners_of([one]), corners_of([other]))[0] > 0.95
    assert other.score == pytest.approx(one.score, abs=0.02)
