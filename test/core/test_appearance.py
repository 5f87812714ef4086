from diffpose_ros.core.appearance import colours, GREY, LIGHTNESS, LINES, resemblance
from diffpose_ros.core.people import Pose2D
from diffpose_ros.core.skeleton import H36M_17
import numpy as np
import pytest
from skimage.color import rgb2lab

RED, BLUE, SKIN = (200, 30, 30), (30, 60, 180), (220, 180, 150)
SHIRT, SLEEVE, ARM, THIGH, SHIN = range(len(LINES))


def standing(x=100.0, score=0.9):
    """Return a person upright at column x of a picture 200 pixels high."""
    heights = {'shoulder': 40, 'elbow': 70, 'wrist': 100, 'hip': 100, 'knee': 140, 'ankle': 180}
    asides = {'elbow': 20, 'wrist': 30}
    xy = np.full((17, 2), [x, 20.0])
    for side, sign in (('l', 1), ('r', -1)):
        for joint, height in heights.items():
            xy[H36M_17.index(f'{side}_{joint}')] = x + sign * (8 + asides.get(joint, 0)), height
    return Pose2D(xy, np.tile(np.eye(2), (17, 1, 1)), np.full(17, score))


def picture(above=RED, below=BLUE):
    """Return a grey picture; who stands in it wears one colour above the hips, another below."""
    image = np.full((200, 1000, 3), 110, np.uint8)
    image[:100, 60:140], image[100:, 60:140] = above, below
    return image


def lab(rgb, image):
    """Return a colour as it would be were the image grey on average."""
    balanced = np.minimum(np.array(rgb) * GREY / image.mean(axis=(0, 1)), 255)
    return rgb2lab(balanced[None, None] / 255)[0, 0] * [LIGHTNESS, 1, 1]


def test_each_piece_of_cloth_has_its_colour():
    image = picture()
    worn = colours(image, standing(), 0.3)
    for line, colour in ((SHIRT, RED), (SLEEVE, RED), (ARM, RED), (THIGH, BLUE), (SHIN, BLUE)):
        np.testing.assert_allclose(worn[line], lab(colour, image), atol=0.2)


def test_a_thing_that_hides_less_than_half_of_a_piece_does_not_change_its_colour():
    image = picture()
    image[100:118, 60:140] = SKIN  # a hand before the thighs
    np.testing.assert_allclose(colours(image, standing(), 0.3)[THIGH], lab(BLUE, image), atol=0.5)


def test_what_is_not_known_or_not_in_the_picture_has_no_colour():
    pose = standing()
    pose.score[H36M_17.index('l_knee', 'r_knee')] = 0.1
    worn = colours(picture()[:120], pose, 0.3)
    assert np.isnan(worn[[THIGH, SHIN]]).all()
    assert np.isfinite(worn[[SHIRT, SLEEVE, ARM]]).all()


def test_joints_without_an_estimate_do_no_harm():
    pose = standing()
    pose.xy[H36M_17.index('l_wrist', 'r_wrist')] = np.nan
    pose.score[H36M_17.index('l_wrist', 'r_wrist')] = 0
    assert np.isnan(colours(picture(), pose, 0.0)[ARM]).all()


def test_left_and_right_may_be_exchanged():
    pose = standing()
    crossed = Pose2D(pose.xy[H36M_17.mirror], pose.covariance, pose.score)
    np.testing.assert_array_equal(colours(picture(), pose, 0.3), colours(picture(), crossed, 0.3))


def test_people_resemble_themselves_more_than_who_shares_the_trousers_and_than_strangers():
    me, trousers, stranger = (
        colours(image, standing(), 0.3)
        for image in (picture(), picture(above=SKIN), picture(above=BLUE, below=RED))
    )
    assert resemblance(me, me) == 1
    assert resemblance(me, trousers) == pytest.approx(2 / len(LINES), abs=0.02)
    assert resemblance(me, stranger) < 0.01


def test_a_shadow_changes_little():
    darker = picture()
    darker[:, 60:140] = 0.9 * darker[:, 60:140]
    lit, shaded = (colours(image, standing(), 0.3) for image in (picture(), darker))
    assert resemblance(lit, shaded) > 0.7


@pytest.mark.parametrize('gain', [0.5, (1.2, 1, 0.75)], ids=['exposure', 'white balance'])
def test_what_the_camera_changes_by_itself_changes_little(gain):
    changed = (gain * picture().astype(float)).astype(np.uint8)
    before, after = (colours(image, standing(), 0.3) for image in (picture(), changed))
    assert resemblance(before, after) > 0.95


def test_who_was_not_looked_at_is_no_stranger():
    worn = colours(picture(), standing(), 0.3)
    assert resemblance(worn, np.full_like(worn, np.nan)) == 1
