"""Backbones: one picture in, features at a sixteenth of its size out."""

from collections.abc import Sequence
from importlib import import_module
from typing import Any

from diffpose_ros.video2d.layers import conv_bn
from torch import nn, Tensor
from torch.nn import functional

STRIDE = 16
VIT_B16 = 'vit_b16'
COMPACT = 'compact'
BACKBONES = (COMPACT, VIT_B16)


class Residual(nn.Module):
    """Two 3x3 convolutions around a skip connection, the basic block of ResNet."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.path = nn.Sequential(
            conv_bn(channels, channels, 3), conv_bn(channels, channels, 3, relu=False)
        )

    def forward(self, x: Tensor) -> Tensor:
        """Return x (N, C, h, w) refined."""
        return functional.relu(x + self.path(x))


class CompactBackbone(nn.Module):
    """
    A small convolutional network that is trained from scratch.

    widths  channels at 1/4, 1/8 and 1/16 of the picture
    depths  blocks at each of these sizes
    """

    def __init__(self, widths: Sequence[int], depths: Sequence[int]) -> None:
        super().__init__()
        self.channels = widths[-1]
        before = widths[0] // 2
        layers: list[nn.Module] = [conv_bn(3, before, 3, stride=2)]
        for width, depth in zip(widths, depths, strict=True):
            layers.append(conv_bn(before, width, 3, stride=2))
            layers += [Residual(width) for _ in range(depth)]
            before = width
        self.layers = nn.Sequential(*layers)

    def forward(self, pictures: Tensor) -> Tensor:
        """Return features (N, C, h/16, w/16) of normalised pictures (N, 3, h, w)."""
        return self.layers(pictures)


class VitBackbone(nn.Module):
    """
    ViT-B/16 of ViTPose, from transformers.

    pretrained  folder or hub id of published ViTPose weights, whole or the backbone alone; empty
                = random start
    raises      OSError where there are none, ValueError where they are for another network
    """

    def __init__(self, crop_size: tuple[int, int], pretrained: str = '') -> None:
        super().__init__()
        try:
            transformers = import_module('transformers')
        except ImportError as error:
            raise ValueError(
                f'backbone = {VIT_B16} needs transformers ({error}); '
                f'pip install transformers, or set backbone = {COMPACT}'
            ) from error
        width, height = crop_size
        arguments: dict[str, Any] = {
            'image_size': [height, width],
            'patch_size': [STRIDE, STRIDE],
            'out_indices': [12],
        }
        self.vit: nn.Module
        if pretrained:
            self.vit = _published(transformers.VitPoseBackbone, pretrained, arguments)
        else:
            self.vit = transformers.VitPoseBackbone(
                transformers.VitPoseBackboneConfig(**arguments)
            )
        self.channels = 768

    def forward(self, pictures: Tensor) -> Tensor:
        """Return features (N, 768, h/16, w/16) of normalised pictures (N, 3, h, w)."""
        rows, columns = (n // STRIDE for n in pictures.shape[2:])
        tokens = self.vit(pictures).feature_maps[-1]
        return tokens.transpose(1, 2).unflatten(2, (rows, columns))


def _published(backbone: Any, name: str, arguments: dict[str, Any]) -> nn.Module:
    vit, told = backbone.from_pretrained(
        name,
        key_mapping={r'^backbone\.': ''},  # whole estimators call it so
        output_loading_info=True,
        ignore_mismatched_sizes=True,
        use_safetensors=True,
        **arguments,
    )
    unfit = sorted([*told['missing_keys'], *(key for key, *_ in told['mismatched_keys'])])
    if unfit:
        raise ValueError(
            f'{name} has no weights that fit {VIT_B16} at crops of '
            f'{arguments["image_size"][1]}x{arguments["image_size"][0]} ({unfit[0]}); give a '
            'ViTPose base model and the crop it was trained with, mostly 192x256'
        )
    return vit.float()
