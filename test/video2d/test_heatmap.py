from diffpose_ros.video2d.heatmap import (
    decode,
    encode,
    HEAT_STRIDE,
    MEAN_SHIFTS,
    project,
    SIGMA_SHARE,
)
import numpy as np
import pytest
import torch

ROWS, COLUMNS = 48, 36


def test_decoding_gives_back_what_was_encoded_to_a_twentieth_of_a_crop_pixel():
    xy = torch.rand(4, 15, 2) * torch.tensor([130.0, 178.0]) + 6.0
    found, _, peak = decode(encode(xy, ROWS, COLUMNS))
    torch.testing.assert_close(found, xy, atol=0.05, rtol=0)
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


def plain_decode(heat: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return mean and covariance of one heatmap, one formula after the other."""
    rows, columns = heat.shape
    sigma = SIGMA_SHARE * rows
    y, x = np.mgrid[:rows, :columns]
    at = np.array(np.unravel_index(heat.argmax(), heat.shape))[::-1].astype(float)
    for _ in range(MEAN_SHIFTS):
        window = np.exp(-((x - at[0]) ** 2 + (y - at[1]) ** 2) / (2 * sigma**2))
        seen = [(heat * window * axis).sum() / (heat * window).sum() for axis in (x, y)]
        expected = [(window**2 * axis).sum() / (window**2).sum() for axis in (x, y)]
        at = at + 2 * (np.array(seen) - expected)
        at = at.clip(-0.5, np.array([columns, rows]) - 0.5)
    mass = np.maximum(heat - 0.05, 0)
    offset = np.stack([x, y], axis=-1) - at
    moments = np.einsum('yx,yxi,yxj->ij', mass, offset, offset) / mass.sum()
    values, vectors = np.linalg.eigh(moments - sigma**2 * np.eye(2))
    covariance = vectors @ np.diag(values.clip(0.25)) @ vectors.T
    return (at + 0.5) * HEAT_STRIDE - 0.5, covariance * HEAT_STRIDE**2


@pytest.mark.parametrize('noise', [0.0, 0.3])
def test_decoding_all_joints_at_once_agrees_with_the_formulas_one_by_one(noise):
    near, far = (torch.rand(2, 15, 2) * torch.tensor([144.0, 192.0]) for _ in range(2))
    heat = encode(near, ROWS, COLUMNS) + 0.7 * encode(far, ROWS, COLUMNS)
    heat = heat + noise * torch.rand_like(heat)
    xy, covariance, _ = decode(heat)
    for b, j in np.ndindex(2, 15):
        mean, spread = plain_decode(heat[b, j].double().numpy())
        np.testing.assert_allclose(xy[b, j], mean, atol=0.01)
        np.testing.assert_allclose(covariance[b, j], spread, rtol=1e-3, atol=0.1)


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
