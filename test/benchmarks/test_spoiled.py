import numpy as np
import pytest

from benchmarks import spoiled

IMAGE = np.random.default_rng(0).integers(0, 256, (48, 64, 3), np.uint8)


@pytest.mark.parametrize('way', spoiled.WAYS)
def test_a_spoiled_image_is_an_image_of_the_same_size(way):
    before, shown = IMAGE.copy(), spoiled.WAYS[way](IMAGE)
    assert (shown.shape, shown.dtype) == (IMAGE.shape, np.uint8)
    np.testing.assert_array_equal(IMAGE, before)
    assert (shown == IMAGE).all() == (way == 'as_is')


def test_images_are_spoiled_as_the_names_say():
    assert (np.ptp(spoiled.grey(IMAGE), axis=2) == 0).all()
    assert spoiled.dim(IMAGE).mean() == pytest.approx(IMAGE.mean() / 4, abs=0.5)
    assert spoiled.hazy(IMAGE).min() == 120
    assert (spoiled.overexposed(IMAGE) == 255).mean() > 0.4
    assert spoiled.out_of_focus(IMAGE).std() < IMAGE.std()
    np.testing.assert_array_equal(spoiled.blue_for_red(IMAGE)[..., 0], IMAGE[..., 2])
