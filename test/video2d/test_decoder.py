import math

from diffpose_ros.video2d.decoder import PoseDecoder, step_embedding, StepScale, take_turns
import pytest
import torch


@pytest.fixture
def decoder() -> PoseDecoder:
    decoder = PoseDecoder(5, 16, (12, 8), heads=2, layers=1, grid=(4, 3)).eval()
    decoder.requires_grad_(False).head.weight.mul_(30)
    return decoder


def test_the_three_scales_of_f_double_in_size(decoder):
    shapes = [F_j.shape[1:] for F_j in decoder.scales(torch.randn(2, 16, 4, 3))]
    assert shapes == [(16, 4, 3), (12, 8, 6), (8, 16, 12)]


def test_noise_step_and_features_all_change_the_prediction(decoder):
    F, x_t, t = torch.randn(1, 16, 4, 3), torch.randn(1, 5, 16, 12), torch.tensor([500])
    scales = decoder.scales(F)
    heat = decoder(x_t, scales, t)
    assert heat.shape == (1, 5, 16, 12)
    others = [
        decoder(-x_t, scales, t),
        decoder(x_t, decoder.scales(-F), t),
        decoder(x_t, scales, torch.tensor([20])),
    ]
    assert all(not torch.allclose(heat, other, atol=1e-5) for other in others)


def test_the_prediction_is_the_head_over_the_sum_of_the_scales(decoder):
    F, x_t, t = torch.randn(1, 16, 4, 3), torch.randn(1, 5, 16, 12), torch.tensor([300])
    scales = decoder.scales(F)
    x_3 = decoder.step_scale(x_t, t)
    x_2 = decoder.down_2(x_3)
    x_1 = decoder.down_1(x_2)
    parts = [
        decoder.scale_1(decoder.scale_1.find(x_1), scales[0]),
        decoder.scale_2(decoder.scale_2.find(x_2), scales[1]),
        decoder.scale_3(decoder.scale_3.find(x_3), scales[2]),
    ]
    torch.testing.assert_close(decoder(x_t, scales, t), decoder.head(sum(parts)))


def test_the_step_embedding_follows_the_formula_of_the_transformer():
    t = 37
    found = step_embedding(torch.tensor([t]), 8)[0]
    phases = [t / 10000 ** (k / 4) for k in range(4)]
    expected = [math.sin(p) for p in phases] + [math.cos(p) for p in phases]
    torch.testing.assert_close(found, torch.tensor(expected), atol=1e-5, rtol=0)


def test_the_step_rescales_each_joint_s_heatmap_by_one_number_and_shifts_it_by_another():
    scale, x_t, t = StepScale(3), torch.randn(2, 3, 4, 4), torch.tensor([3, 900])
    change = (scale(x_t + 1, t) - scale(x_t, t)).detach()  # 1 + scale(t), the same everywhere
    torch.testing.assert_close(change, change[:, :, :1, :1].expand_as(change), atol=1e-5, rtol=0)
    assert not torch.allclose(change[0], change[1], atol=1e-3)


def test_sets_take_turns_at_the_views_of_the_whole_batch():
    scales = (torch.randn(4, 1, 1, 1), torch.randn(4, 1, 2, 2), torch.randn(4, 1, 4, 4))
    for F_j, many in zip(scales, take_turns(scales, views=2, sets=3), strict=True):
        torch.testing.assert_close(many, torch.cat([F_j[:2], F_j[2:], F_j[:2]]))
