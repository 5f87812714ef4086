from itertools import islice

from diffpose_ros.core.config import PipelineConfig
from diffpose_ros.core.light import BRIGHT, DARK, MOST_GAIN, well_lit
from diffpose_ros.core.people import Frame
from diffpose_ros.core.pipeline import PosePipeline
from diffpose_ros.core.share import find_shared
from diffpose_ros.core.skeleton import H36M_17
from diffpose_ros.offline.video import VideoReader
import numpy as np
import pytest
from skimage.exposure import rescale_intensity

LIT = np.random.default_rng(0).integers(0, 256, (40, 30, 3), np.uint8)
LIGHTS = {
    'a twelfth of the light': lambda image: image // 12,
    'haze': lambda image: (0.45 * image + 100).astype(np.uint8),
}


def test_a_picture_with_dark_and_bright_places_is_not_touched():
    assert well_lit(LIT) is LIT


def test_a_dark_room_with_a_bright_window_counts_as_lit():
    window = LIT // 12
    window[:4] = 255
    np.testing.assert_array_equal(well_lit(window)[4:].max(), window[4:].max())


@pytest.mark.parametrize('light', LIGHTS.values(), ids=LIGHTS)
def test_levels_are_spread_as_scikit_image_spreads_them(light):
    poor = light(LIT)
    before = poor.copy()
    low, high = np.percentile(poor, (2, 98))
    reach = min(low, DARK), max(high, BRIGHT)
    within = (poor >= low) & (poor <= high)  # beyond, theirs clips and ours goes on
    expected = rescale_intensity(poor, (low, high), reach)
    shown = well_lit(poor)
    assert shown.shape == poor.shape
    np.testing.assert_allclose(shown[within], expected[within], atol=1)
    np.testing.assert_array_equal(poor, before)


def test_noise_under_a_covered_lens_stays_dark():
    noise = LIT % 2
    assert well_lit(noise).max() == MOST_GAIN


@pytest.mark.parametrize('brightness', [90, 230])
def test_a_bare_wall_does_not_hide_who_is_before_it(brightness):
    wall = (brightness + LIT % 3).astype(np.uint8)
    wall[20:24, 15, 0] = [brightness + off for off in (-25, -16, -8, 4)]
    shown = well_lit(wall)[20:24, 15, 0]
    assert (np.diff(shown.astype(int)) > 10).all()
    assert 0 < shown.min()


@pytest.mark.parametrize('level', [0, 90, 255])
def test_a_picture_of_nothing_stays_as_it_is(level):
    nothing = np.full_like(LIT, level)
    assert well_lit(nothing) is nothing


def test_only_the_levels_of_the_part_count_and_black_stays_black():
    hazy = LIGHTS['haze'](LIT)
    padded = np.zeros_like(hazy)
    padded[:15, 10:] = hazy[:15, 10:]
    part = (slice(0, 15), slice(10, 30))
    shown = well_lit(padded, part)
    np.testing.assert_array_equal(shown[part], well_lit(hazy[part]))
    assert not shown[15:].any()


@pytest.fixture(scope='module')
def pipeline():
    return PosePipeline.from_config(PipelineConfig(device='cpu'))


def last_pose(pipeline, light):
    """Return the pose of the only person of the packaged clip in its twelfth image."""
    pipeline.reset()
    for time_s, image in islice(VideoReader(find_shared('demo/walk.mp4')), 12):
        result = pipeline.step(Frame(light(image), round(1e9 * time_s)))
    (person,) = result.people
    return person.pose2d


@pytest.mark.parametrize('light', LIGHTS.values(), ids=LIGHTS)
def test_people_are_seen_in_poor_light_as_in_good_light(pipeline, light):
    good, poor = last_pose(pipeline, np.asarray), last_pose(pipeline, light)
    torso = np.linalg.norm(good.xy[H36M_17.joints.index('thorax')] - good.xy[0])
    off = np.linalg.norm(poor.xy - good.xy, axis=1)
    assert np.median(off) < 0.03 * torso
    assert poor.score.mean() > 0.95 * good.score.mean()
