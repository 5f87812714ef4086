from diffpose_ros.video2d.layers import EncoderLayer
from diffpose_ros.video2d.strl import SpatioTemporalLearner
import pytest
import torch
from torch import nn


@pytest.fixture
def strl() -> SpatioTemporalLearner:
    learner = SpatioTemporalLearner(6, 8, layers=2, heads=2, slots=5, grid=(4, 3))
    with torch.no_grad():
        learner.hole.normal_()
    return learner.eval().requires_grad_(False)


def some(*slots: int) -> torch.Tensor:
    return torch.tensor([[slot in slots for slot in range(5)]])


def test_a_window_of_feature_maps_becomes_one_map(strl):
    assert strl(torch.randn(2, 5, 6, 4, 3), some(0, 1, 2, 3, 4).expand(2, -1)).shape == (
        2,
        8,
        4,
        3,
    )


def test_what_stands_in_a_hole_changes_nothing_even_if_it_is_not_a_number(strl):
    features = torch.randn(2, 5, 6, 4, 3)
    present = torch.cat([some(1, 2), some(0, 2, 4)])
    expected = strl(features, present)
    spoiled = torch.where(present[:, :, None, None, None], features, torch.nan)
    torch.testing.assert_close(strl(spoiled, present), expected)


def test_a_person_s_result_does_not_depend_on_the_holes_of_the_others(strl):
    features = torch.randn(2, 5, 6, 4, 3)
    present = torch.cat([some(1, 2), some(0, 1, 2, 3, 4)])
    together = strl(features, present)
    for i in range(2):
        alone = strl(features[i : i + 1], present[i : i + 1])
        torch.testing.assert_close(together[i : i + 1], alone, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize('slot', [0, 1, 3, 4])
def test_every_neighbour_that_is_there_is_looked_at(strl, slot):
    features = torch.randn(1, 5, 6, 4, 3)
    other = features.clone()
    other[:, slot] = torch.randn(6, 4, 3)
    whole = some(0, 1, 2, 3, 4)
    assert not torch.allclose(strl(features, whole), strl(other, whole), atol=1e-3)


def test_frames_are_told_apart_by_their_time(strl):
    features = torch.randn(1, 5, 6, 4, 3)
    whole = some(0, 1, 2, 3, 4)
    assert not torch.allclose(strl(features, whole), strl(features.flip(1), whole), atol=1e-3)


def test_other_crop_sizes_work_too(strl):
    assert strl(torch.randn(1, 5, 6, 6, 5), some(2)).shape == (1, 8, 6, 5)


def test_the_encoder_layer_agrees_with_torch_s_own_pre_norm_layer():
    ours = EncoderLayer(16, heads=4)
    theirs = nn.TransformerEncoderLayer(
        16, 4, 64, dropout=0, activation='gelu', batch_first=True, norm_first=True
    )
    names = {
        'norm_1': 'norm1',
        'norm_2': 'norm2',
        'out': 'self_attn.out_proj',
        'ffn.0': 'linear1',
        'ffn.2': 'linear2',
    }
    with torch.no_grad():
        theirs.self_attn.in_proj_weight.copy_(ours.qkv.weight)
        theirs.self_attn.in_proj_bias.copy_(ours.qkv.bias)
        for mine, yours in names.items():
            theirs.get_submodule(yours).load_state_dict(ours.get_submodule(mine).state_dict())
        seen = torch.tensor([[True] * 5 + [False] * 2])
        x = torch.randn(1, 7, 16)
        expected = theirs(x, src_key_padding_mask=~seen)
        torch.testing.assert_close(ours(x, seen[:, None, None]), expected, atol=1e-5, rtol=1e-4)
