from diffpose_ros.video2d.layers import (
    conv_bn,
    fold_batch_norms,
    Pointwise,
    to_map,
    to_tokens,
)
import pytest
import torch
from torch import nn

LAST = torch.channels_last


@pytest.mark.parametrize('layout', [torch.contiguous_format, LAST])
def test_the_product_of_matrices_is_the_1x1_convolution_with_the_same_weights(layout):
    product, convolution = Pointwise(6, 4), nn.Conv2d(6, 4, 1)
    convolution.load_state_dict(product.state_dict())
    maps = torch.randn(2, 6, 5, 3).contiguous(memory_format=layout)
    torch.testing.assert_close(product(maps), convolution(maps))


def test_batch_norm_folds_into_the_product_as_into_a_convolution():
    layer = conv_bn(6, 4, 1).eval()
    layer[1].running_mean.normal_()
    maps = torch.randn(2, 6, 5, 3)
    expected = layer(maps)
    torch.testing.assert_close(fold_batch_norms(layer)(maps), expected)


@pytest.mark.parametrize('count', [1, 2])
def test_tokens_become_the_map_they_came_from_laid_out_as_convolutions_like_it(count):
    maps = torch.randn(count, 6, 5, 3)
    found = to_map(to_tokens(maps).contiguous(), 5, 3)
    torch.testing.assert_close(found, maps)
    assert found.stride() == maps.contiguous(memory_format=LAST).stride()
