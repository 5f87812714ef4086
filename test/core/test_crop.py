import cv2
from diffpose_ros.core.crop import Crop
from diffpose_ros.core.light import BRIGHT, DARK
from diffpose_ros.core.people import Box
import numpy as np
import pytest

SIZE = (144, 192)
BOXES = {
    'inside': Box(200, 150, 80, 160),
    'wide': Box(200, 150, 220, 60),
    'over the border': Box(5, 300, 100, 200),
    'larger than the picture': Box(200, 150, 900, 1400),
}


@pytest.mark.parametrize('box', BOXES.values(), ids=BOXES)
def test_points_come_back_from_the_crop_exactly(box):
    crop = Crop.around(box, SIZE)
    points = np.random.default_rng(0).uniform(0, 400, (10, 2))
    np.testing.assert_allclose(crop.to_image(crop.to_crop(points)), points)


@pytest.mark.parametrize('box', BOXES.values(), ids=BOXES)
def test_the_crop_holds_the_box_and_keeps_the_aspect_of_the_network(box):
    crop = Crop.around(box, SIZE)
    corners = crop.to_crop(box.corners.reshape(2, 2))
    assert (corners >= -0.5).all()
    assert (corners <= np.array(SIZE) - 0.5).all()
    assert crop.width / crop.height == pytest.approx(SIZE[0] / SIZE[1], rel=0.01)


@pytest.mark.parametrize('box', [Box(200, 150, 80, 160), Box(210.3, 160.7, 300, 400)])
def test_a_bright_spot_is_found_where_the_coordinates_say(box):
    image = np.zeros((480, 640, 3), np.uint8)
    image[250:] = 255  # so that it is well lit
    spot = (231, 148)
    crop = Crop.around(box, SIZE)
    without = crop.cut(image)[..., 0].astype(float)
    cv2.circle(image, spot, 6, (255, 255, 255), -1)
    weight = crop.cut(image)[..., 0] - without
    rows, columns = np.mgrid[: SIZE[1], : SIZE[0]]
    seen = np.array([(weight * columns).sum(), (weight * rows).sum()]) / weight.sum()
    np.testing.assert_allclose(crop.to_image(seen), spot, atol=0.1)


def test_beyond_the_border_the_crop_is_black():
    white = np.full((480, 640, 3), 255, np.uint8)
    cut = Crop.around(Box(0, 240, 100, 200), SIZE).cut(white)
    assert cut.shape == (192, 144, 3)
    assert (cut[:, :60] == 0).all()
    assert (cut[:, 80:] == 255).all()


@pytest.mark.parametrize('corner', [(0, 0), (640, 0), (0, 480), (640, 480)])
def test_haze_is_lifted_at_the_border_as_inside(corner):
    hazy = np.random.default_rng(0).integers(100, 200, (480, 640, 3), np.uint8)
    cut = Crop.around(Box(*corner, 144, 192), SIZE, enlarge=1).cut(hazy)
    shown = cut[cut.any(axis=2)]
    assert np.quantile(shown, 0.02) == pytest.approx(DARK, abs=1)
    assert np.quantile(shown, 0.98) == pytest.approx(BRIGHT, abs=1)


def test_a_crop_wholly_outside_the_picture_is_black():
    cut = Crop.around(Box(-900, -900, 100, 100), SIZE).cut(np.full((48, 64, 3), 9, np.uint8))
    assert not cut.any()


def test_covariances_scale_with_the_square_of_the_pixels():
    crop = Crop.around(Box(200, 150, 300, 400), SIZE)
    noise = np.random.default_rng(0).multivariate_normal([70, 90], [[4, 1], [1, 2]], 20_000)
    expected = np.cov(crop.to_image(noise).T)
    given = crop.covariance_to_image(np.cov(noise.T)[None])[0]
    np.testing.assert_allclose(given, expected)


@pytest.mark.parametrize(
    ('moved', 'suits'),
    [
        (Box(205, 152, 82, 158), True),
        (Box(212, 150, 80, 160), False),
        (Box(200, 150, 75, 150), False),
        (Box(200, 150, 86, 172), False),
    ],
    ids=['a little', 'aside', 'smaller by 6 %', 'larger by 7 %'],
)
def test_a_crop_sticks_until_the_person_moves_or_grows(moved, suits):
    assert Crop.around(Box(200, 150, 80, 160), SIZE).suits(moved) is suits
