from diffpose_ros.core.crop import Crop
from diffpose_ros.core.people import Box
from diffpose_ros.core.skeleton import POSETRACK_15
from diffpose_ros.train import augment
from diffpose_ros.train.augment import Strength
import numpy as np
import pytest

SIZE = (48, 64)
J = len(POSETRACK_15.joints)


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def spot(at: tuple[int, int], size: tuple[int, int] = (200, 160)) -> np.ndarray:
    columns, rows = size
    y, x = np.mgrid[:rows, :columns]
    bell = np.exp(-((x - at[0]) ** 2 + (y - at[1]) ** 2) / (2 * 6.0**2))
    return np.repeat((255 * bell)[..., None], 3, axis=2).astype(np.uint8)


def centre_of_light(picture: np.ndarray) -> np.ndarray:
    weight = picture[..., 0].astype(float)
    y, x = np.mgrid[: weight.shape[0], : weight.shape[1]]
    return np.array([(weight * x).sum(), (weight * y).sum()]) / weight.sum()


@pytest.mark.parametrize('seed', range(12))
def test_joints_move_with_the_picture_whatever_the_view(seed):
    labelled = np.ones(J, bool)
    xy = rng(1).uniform([70, 50], [130, 110], (J, 2))
    xy[0] = (100, 80)
    view = augment.draw_view(xy, labelled, POSETRACK_15, SIZE, rng(seed), Strength())
    seen = augment.show(spot((100, 80)), view, SIZE, None)
    expected = augment.move_points(view, xy[:1])[0]
    assert (expected > 12).all()
    assert (expected < np.array(SIZE) - 13).all()
    np.testing.assert_allclose(centre_of_light(seen), expected, atol=0.4)


def test_the_plain_view_shows_what_the_crop_of_the_pipeline_shows():
    box = Box(100, 80, 30, 50)
    view, crop = augment.plain_view(box, SIZE), Crop.around(box, SIZE)
    points = rng().uniform(0, 150, (6, 2))
    np.testing.assert_allclose(augment.move_points(view, points), crop.to_crop(points))
    picture = rng().integers(0, 256, (160, 200, 3), np.uint8)
    seen = augment.show(picture, view, SIZE, None).astype(int)
    assert np.abs(seen - crop.cut(picture).astype(int)).mean() < 4


def test_the_mirror_is_noticed_and_a_turn_is_no_mirror():
    view = augment.plain_view(Box(100, 80, 30, 50), SIZE)
    assert not augment.is_mirrored(augment.similarity(view, SIZE, 1.2, 120.0))
    assert augment.is_mirrored(augment.mirror_view(SIZE) @ augment.to_square(view))


def test_the_camera_path_leaves_the_key_frame_alone_and_moves_smoothly():
    view = augment.plain_view(Box(100, 80, 30, 50), SIZE)
    offsets = np.arange(-2, 3)
    path = augment.camera_path(view, SIZE, offsets, rng())
    np.testing.assert_allclose(path[2], view)
    center = np.array([[100.0, 80.0]])
    places = np.array([augment.move_points(v, center)[0] for v in path])
    speed, change = np.diff(places, axis=0), np.diff(places, n=2, axis=0)
    assert np.abs(speed).max() > 0.05
    assert np.abs(change).max() < 0.7 * SIZE[0] * 0.05


def test_a_half_body_holds_only_joints_of_one_half():
    upper = np.isin(POSETRACK_15.joints, augment.UPPER)
    labelled = np.ones(J, bool)
    for seed in range(6):
        shown = augment.half_body(np.zeros((J, 2)), labelled, POSETRACK_15, rng(seed))
        assert (shown == upper).all() or (shown == ~upper).all()


def test_what_is_beyond_the_border_is_black_or_the_fill():
    white = np.full((40, 40, 3), 255, np.uint8)
    view = augment.plain_view(Box(0, 0, 30, 40), SIZE)
    assert augment.show(white, view, SIZE, None)[0, 0].tolist() == [0, 0, 0]
    fill = np.full((64, 48, 3), 77, np.uint8)
    seen = augment.show(white, view, SIZE, fill)
    assert seen[0, 0].tolist() == [77, 77, 77]
    assert seen[-1, -1].tolist() == [255, 255, 255]


@pytest.mark.parametrize('spoil', [augment.blur, augment.grain])
def test_spoiled_pictures_keep_their_size_and_change(spoil):
    picture = rng().integers(0, 256, (64, 48, 3), np.uint8)
    for seed in range(6):
        spoiled = spoil(picture, rng(seed))
        assert spoiled.shape == picture.shape
        assert spoiled.dtype == np.uint8
        assert (spoiled != picture).any()


def test_a_camera_without_colours_shows_them_as_grey():
    frames = np.random.default_rng(0).integers(0, 256, (2, 6, 8, 3), np.uint8)
    shown = augment.grey(frames)
    luma = frames @ [0.299, 0.587, 0.114]  # ITU-R BT.601
    np.testing.assert_allclose(shown, np.stack([luma] * 3, axis=-1), atol=1)


def test_covering_hides_a_part_and_not_the_whole():
    picture, other = (np.full((64, 48, 3), v, np.uint8) for v in (10, 200))
    hidden = [
        (augment.cover(picture, other, rng(s)) != picture).any(axis=2).mean() for s in range(20)
    ]
    assert 0.01 < np.mean(hidden) < 0.6


def test_a_motion_blur_spreads_light_without_losing_any():
    kernel = augment.motion_kernel(7.0, rng())
    assert kernel.sum() == pytest.approx(1)
    assert (kernel > 0).sum() >= 5
