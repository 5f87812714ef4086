from dataclasses import replace

import cv2
from diffpose_ros.core.detector import body_corners
from diffpose_ros.data.frames import Picture
from diffpose_ros.train.detector import box_loss, example, focal_loss, PARTS
from diffpose_ros.train.scene_parts import body_mask, clutter, photographs
from diffpose_ros.train.scenes import beside_person, Canvas, finish, placement, Scene, SceneMaker
import numpy as np
import pytest
import torch

JOINTS = (
    'r_ankle r_knee r_hip l_hip l_knee l_ankle r_wrist r_elbow r_shoulder'
    ' l_shoulder l_elbow l_wrist neck head_top'
).split()
POINTS = np.array(
    [[40, 95], [40, 75], [42, 52], [52, 52], [54, 75], [54, 95], [30, 55], [33, 42], [38, 28],
     [56, 28], [61, 42], [64, 55], [47, 25], [47, 10]], float,
)  # fmt: skip


class OnePicture:
    """A red person-shaped block in a green picture, again and again."""

    def __init__(self):
        image = np.zeros((120, 160, 3), np.uint8)
        image[..., 1] = 200
        image[5:100, 28:67] = (255, 0, 0)
        self.picture = Picture(image, dict(zip(JOINTS, POINTS, strict=True)))

    def __len__(self):
        return 1

    def __getitem__(self, position):
        return self.picture


class OneCrowd:
    """Two rendered people side by side, the second one's legs hidden."""

    def __init__(self):
        self.image = np.full((120, 160, 3), 90, np.uint8)
        one, other = (
            dict(zip(JOINTS, np.add(POINTS, [right, 0]), strict=True)) for right in (-20, 50)
        )
        legs = frozenset(name for name in JOINTS if name.endswith(('knee', 'ankle')))
        self.people = [Picture(self.image, one), Picture(self.image, other, legs)]

    def __len__(self):
        return 1

    def __getitem__(self, position):
        return self.image, self.people


def scene(boxes, trust, unsure=False, joints=()):
    return Scene(
        np.zeros((64, 96, 3), np.uint8),
        np.array(boxes, float),
        np.array(trust, float),
        list(joints),
        np.full((64, 96), unsure),
    )


def batch(one_scene):
    return {k: torch.from_numpy(np.asarray(v))[None] for k, v in example(one_scene).items()}


@pytest.mark.parametrize('seed', range(12))
def test_every_scene_has_boxes_within_the_picture_and_is_repeatable(seed):
    maker = SceneMaker(OnePicture(), [], size=128)
    one, same = (maker.draw(np.random.default_rng(seed)) for _ in range(2))
    np.testing.assert_array_equal(one.image, same.image)
    assert one.image.shape == (128, 128, 3)
    assert (one.boxes >= 0).all()
    assert (one.boxes <= 128).all()
    assert len(one.boxes) == len(one.trust)


def test_everybody_in_a_rendered_picture_is_labelled(monkeypatch):
    monkeypatch.setattr('diffpose_ros.train.scenes.RENDERED_SHARE', 1)
    maker = SceneMaker(OnePicture(), [], size=256, rendered=OneCrowd())
    scenes = [maker.draw(np.random.default_rng(seed)) for seed in range(20)]
    assert sum(len(drawn.boxes) == 2 for drawn in scenes) > 10  # the others lost one at the border
    joints = {name for drawn in scenes for name, _ in drawn.joints}
    assert joints == set(JOINTS)


def test_hidden_joints_of_a_labelled_person_are_not_asked_for():
    canvas = Canvas(np.zeros((128, 160, 3), np.uint8))
    canvas.paste(np.full((128, 160, 3), 90, np.uint8), np.full((128, 160), 255, np.uint8), False)
    canvas.add_body(OneCrowd().people[1], np.eye(2, 3))
    assert set(canvas.seen(canvas.bodies[0])) == {
        name for name in JOINTS if not name.endswith(('knee', 'ankle'))
    }


def test_bystanders_of_a_photograph_are_labelled_like_its_person():
    frames = OnePicture()
    bystander = Picture(frames.picture.image, OneCrowd().people[1].joints)
    frames.picture = replace(frames.picture, others=(bystander,))
    maker = SceneMaker(frames, [], size=256)
    found = {len(maker.draw(np.random.default_rng(seed)).boxes) for seed in range(20)}
    assert max(found) >= 2


def test_labels_go_where_the_pixels_go():
    rng = np.random.default_rng(3)
    picture = OnePicture().picture
    for _ in range(5):
        matrix = placement(picture.points, 70, np.array([64, 64]), rng)
        canvas = Canvas(np.zeros((128, 128, 3), np.uint8))
        moved = cv2.warpAffine(picture.image, matrix, (128, 128))
        canvas.paste(moved, np.full((128, 128), 255, np.uint8), unsure=True)
        canvas.add_body(picture, matrix)
        x, y = np.round(canvas.bodies[0].points).astype(int).T
        assert (canvas.image[y, x, 0] > 200).all()  # every joint lies on the red block


def test_the_person_gets_the_size_and_place_that_were_asked_for():
    matrix = placement(POINTS, 60, np.array([50, 40]), np.random.default_rng(0))
    moved = POINTS @ matrix[:, :2].T + matrix[:, 2]
    assert np.ptp(moved, axis=0).max() == pytest.approx(60, rel=0.25)  # tilt and stretch
    assert np.abs((moved.min(axis=0) + moved.max(axis=0)) / 2 - [50, 40]).max() < 10


def test_a_covered_person_need_not_be_found():
    canvas = Canvas(np.zeros((128, 128, 3), np.uint8))
    block, whole = np.full((128, 128, 3), 90, np.uint8), np.full((128, 128), 255, np.uint8)
    canvas.paste(block, whole, unsure=False)
    canvas.add_body(OnePicture().picture, np.eye(2, 3))
    assert len(canvas.seen(canvas.bodies[0])) == len(JOINTS)
    canvas.paste(block, whole, unsure=False)
    finished = finish(canvas, np.random.default_rng(0))
    assert finished.trust.tolist() == [0]
    assert finished.joints == []


def test_the_part_beside_a_person_does_not_show_the_person():
    part = beside_person(OnePicture().picture)
    assert part.shape[1] > 80
    assert (part[..., 0] == 0).all()


def test_the_heat_is_one_at_the_centre_and_the_box_is_learned_there():
    maps = example(scene([[10, 10, 40, 60], [50, 5, 90, 60]], [1, 1]))
    assert np.argwhere(maps['heat'] == 1).tolist() == [[4, 3], [4, 8]]
    np.testing.assert_allclose(maps['box'][:, 4, 3], [10, 10, 40, 60])
    np.testing.assert_allclose(maps['box'][:, 4, 8], [50, 5, 90, 60])
    assert (maps['care'] == 1).all()


def test_a_person_without_trust_is_neither_wanted_nor_forbidden():
    maps = example(scene([[10, 10, 40, 60]], [0]))
    assert maps['heat'].max() == 0
    assert maps['care'][4, 3] == 0


@pytest.mark.parametrize('order', [[0, 1], [1, 0]])
def test_who_is_hardly_visible_does_not_take_the_centre_of_who_is_seen(order):
    boxes, trust = np.array([[10, 10, 40, 60], [12, 10, 42, 60]]), np.array([1, 0])
    maps = example(scene(boxes[order], trust[order]))
    assert (maps['care'][maps['heat'] == 1] == 1).all()


def test_joints_of_both_sides_share_one_map():
    joints = [('l_ankle', np.array([12.0, 50.0])), ('r_ankle', np.array([60.0, 50.0]))]
    maps = example(scene([[10, 10, 40, 60]], [1], joints=joints))['parts']
    assert np.argwhere(maps == 1).tolist() == [[PARTS.index('ankle'), 6, c] for c in (1, 7)]


def test_an_unlabelled_person_is_forgiven_only_where_somebody_may_be():
    logits = torch.full((1, 1, 8, 12), -8.0)
    logits[0, 0, 4, 10] = 3.0  # far from the labelled one
    sure, unsure = (batch(scene([[4, 4, 20, 60]], [1], u)) for u in (False, True))
    losses = [focal_loss(logits, maps['heat'][:, None], maps) for maps in (sure, unsure)]
    assert losses[0] > losses[1] + 1


def test_even_there_a_confident_answer_costs_something():
    maps = batch(scene([[4, 4, 20, 60]], [1], unsure=True))
    quiet = torch.full((1, 1, 8, 12), -8.0)
    loud = quiet.clone()
    loud[0, 0, 4, 10] = 3.0
    quiet, loud = (focal_loss(logits, maps['heat'][:, None], maps) for logits in (quiet, loud))
    assert loud > quiet + 0.1


def test_the_focal_loss_of_a_single_cell_is_that_of_the_paper():
    maps = batch(scene([[10, 10, 40, 60]], [1]))
    target = torch.zeros(1, 1, 8, 12)
    logits = torch.full((1, 1, 8, 12), -60.0)  # all else is right
    target[0, 0, 2, 3], logits[0, 0, 2, 3] = 0.7, 0.5
    p = 1 / (1 + np.exp(-0.5))
    expected = -(abs(0.7 - p) ** 2) * (0.3 * np.log(1 - p) + 0.7 * np.log(p))
    assert focal_loss(logits, target, maps).item() == pytest.approx(expected, rel=1e-4)


def test_the_box_loss_is_one_minus_the_generalised_iou():
    true = batch(scene([[10, 10, 40, 60]], [1]))
    true['weight'] = (true['heat'] == 1).float()
    assert box_loss(true['box'], true).item() == pytest.approx(0, abs=1e-5)
    shifted = true['box'] + torch.tensor([60.0, 0, 60, 0]).view(1, 4, 1, 1)  # 30 px apart
    # no overlap; hull 90 x 50, union 2 x 30 x 50: GIoU = 0 - (4500 - 3000) / 4500
    assert box_loss(shifted, true).item() == pytest.approx(1 + 1 / 3, rel=1e-4)


def test_body_corners_of_what_is_pasted_hold_the_joints():
    left, top, right, bottom = body_corners(POINTS)
    assert left < POINTS[:, 0].min()
    assert bottom > POINTS[:, 1].max()
    assert right - left < bottom - top


def test_the_body_mask_covers_the_bones_and_little_else():
    joints = dict(zip(JOINTS, POINTS, strict=True))
    mask = body_mask(Picture(np.zeros((110, 100, 3), np.uint8), joints))
    x, y = POINTS.astype(int).T
    assert (mask[y, x] > 127).all()
    assert mask[:, :15].max() == mask[:, 85:].max() == 0
    assert 0.1 < (mask > 127).mean() < 0.5


def test_clutter_is_repeatable_and_varied():
    one, same, other = (clutter(np.random.default_rng(s), 64, 48) for s in (0, 0, 1))
    assert one.shape == (48, 64, 3)
    np.testing.assert_array_equal(one, same)
    assert (one != other).any()


def test_photographs_are_colour_pictures():
    images = photographs()
    assert images
    for image in images:
        assert image.ndim == 3
        assert image.dtype == np.uint8
