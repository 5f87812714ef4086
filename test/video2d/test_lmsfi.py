from diffpose_ros.video2d.lmsfi import HighScale, look_up, LowScale, mask_of
import pytest
import torch


def test_the_look_up_puts_masked_features_beside_the_features():
    refined, features = torch.randn(2, 4, 3, 2), torch.randn(2, 5, 3, 2)
    joined = look_up(mask_of(refined), features)
    assert joined.shape == (2, 10, 3, 2)
    for b, row, column in [(0, 0, 0), (1, 2, 1)]:
        strongest = max(float(v) for v in refined[b, :, row, column])
        A = 1 / (1 + torch.exp(torch.tensor(-strongest)))
        torch.testing.assert_close(joined[b, :5, row, column], A * features[b, :, row, column])
        torch.testing.assert_close(joined[b, 5:, row, column], features[b, :, row, column])


def test_heat_reaches_the_result_only_through_the_strongest_channel():
    refined = torch.randn(1, 4, 3, 2)
    weaker = refined.clone()
    weaker[refined < refined.amax(dim=1, keepdim=True)] -= 1.0
    torch.testing.assert_close(mask_of(refined), mask_of(weaker))


@pytest.mark.parametrize('enlarge', [1, 2])
def test_high_scales_return_maps_of_the_size_of_the_heatmaps(enlarge):
    scale = HighScale(3, 6, 7, enlarge).eval()
    Y = scale(scale.find(torch.randn(2, 3, 8, 6)), torch.randn(2, 6, 8, 6))
    assert Y.shape == (2, 7, 8 * enlarge, 6 * enlarge)


def test_the_low_scale_lets_every_place_see_every_other():
    scale = LowScale(3, 8, 7, heads=2, layers=1, grid=(4, 3)).eval()
    A, features = scale.find(torch.randn(1, 3, 4, 3)), torch.randn(1, 8, 4, 3)
    other = features.clone()
    other[:, :, 0, 0] += 3.0
    change = (scale(A, features) - scale(A, other)).abs().amax(dim=1)[0]
    assert change.shape == (16, 12)
    assert change[-1, -1] > 1e-6
