from diffpose_ros.video2d.heatmap import decode, encode, HEAT_STRIDE, project, SIGMA_SHARE
import numpy as np
import pytest
import torch

ROWS, COLUMNS = 48, 36


def test_decoding_gives_back_what_was_encoded_to_a_hundredth_of_a_crop_pixel():
    xy = torch.rand(4, 15, 2) * torch.tensor([130.0, 178.0]) + 6.0
    found, _, peak = decode(encode(xy, ROWS, COLUMNS))
    torch.testing.assert_close(found, xy, atol=0.01, rtol=0)
    assert (peak > 0.9).all()


def test_heat_lies_where_a_plain_loop_over_pixels_puts_it():
    heat = encode(torch.tensor([[[50.0, 70.0]]]), ROWS, COLUMNS)[0, 0].numpy()
    sigma = SIGMA_SHARE * ROWS * HEAT_STRIDE
    for row, column in [(0, 0), (17, 12), (20, 9), (47, 35)]:
        x, y = (column + 0.5) * HEAT_STRIDE - 0.5, (row + 0.5) * HEAT_STRIDE - 0.5
        expected = np.exp(-((x - 50) ** 2 + (y - 70) ** 2) / (2 * sigma**2))
        assert heat[row, column] == pytest.approx(expected, abs=1e-6)


def test_joints_at_the_border_are_found_there():
    xy = torch.tensor([[[0.0, 0.0], [143.0, 191.0]]])
    found, _, _ = decode(encode(xy, ROWS, COLUMNS))
    torch.testing.assert_close(found, xy, atol=0.5, rtol=0)


def test_a_sure_joint_has_the_smallest_covariance_and_a_blurred_one_its_blur():
    xy = torch.full((2000, 1, 2), 70.0)
    xy[..., 0] += 8 * torch.randn(2000, 1)  # crop pixels, along x only
    sure, blurred = encode(xy[:1], ROWS, COLUMNS), encode(xy, ROWS, COLUMNS).mean(0, keepdim=True)
    _, narrow, _ = decode(sure)
    _, wide, _ = decode(blurred)
    torch.testing.assert_close(narrow[0, 0], 4 * torch.eye(2), atol=0.5, rtol=0)
    assert 16 < wide[0, 0, 0, 0] < 64  # the floor cuts the tails; calibration puts that right
    assert wide[0, 0, 1, 1] < 8
    assert wide[0, 0, 0, 1].abs() < 4


def test_covariances_are_symmetric_and_positive_whatever_the_heat():
    for heat in (torch.randn(2, 3, ROWS, COLUMNS), torch.zeros(2, 3, ROWS, COLUMNS)):
        xy, covariance, peak = decode(heat)
        assert (torch.linalg.eigvalsh(covariance) > 0).all()
        torch.testing.assert_close(covariance, covariance.mT)
        assert torch.isfinite(xy).all()
        assert ((peak >= 0) & (peak <= 1)).all()


def test_the_higher_of_two_peaks_is_taken_and_its_rival_widens_the_covariance():
    near, far = torch.tensor([[[40.0, 60.0]]]), torch.tensor([[[100.0, 60.0]]])
    one = encode(near, ROWS, COLUMNS)
    both = 0.6 * one + 0.4 * encode(far, ROWS, COLUMNS)
    xy, covariance, _ = decode(both)
    torch.testing.assert_close(xy, near, atol=0.5, rtol=0)
    assert covariance[0, 0, 0, 0] > 20 * decode(one)[1][0, 0, 0, 0]


def test_a_weak_answer_between_two_places_is_projected_onto_one_clean_joint():
    left, right = (torch.tensor([[[x, 96.0]]]) for x in (40.0, 100.0))
    answer = 0.15 * encode(left, ROWS, COLUMNS) + 0.2 * encode(right, ROWS, COLUMNS)
    torch.testing.assert_close(project(answer), encode(right, ROWS, COLUMNS), atol=0.02, rtol=0)
