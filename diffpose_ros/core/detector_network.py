"""The detector's network: a small residual backbone, a top-down neck, one centre-point head."""

from collections import OrderedDict
from collections.abc import Sequence

import torch
from torch import nn, Tensor
from torch.nn import functional as F

STRIDE = 8  # network pixels per cell of the output
PADDING = 32  # sides of the input are multiples of this
SIZE_UNIT = 64  # network pixels; the size of a box whose logarithm is 0


class ConvNorm(nn.Sequential):
    """Convolution and batch norm."""

    def __init__(self, inside: int, outside: int, kernel: int = 3, stride: int = 1) -> None:
        conv = nn.Conv2d(inside, outside, kernel, stride, kernel // 2, bias=False)
        super().__init__(OrderedDict(conv=conv, norm=nn.BatchNorm2d(outside)))


class Residual(nn.Module):
    """Two 3x3 convolutions around a skip connection (ResNet's basic block)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first, self.second = ConvNorm(channels, channels), ConvNorm(channels, channels)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(x + self.second(F.relu(self.first(x))))


class Stage(nn.Module):
    """Halve the resolution, then refine."""

    def __init__(self, inside: int, outside: int, blocks: int) -> None:
        super().__init__()
        self.down = ConvNorm(inside, outside, stride=2)
        self.blocks = nn.Sequential(*[Residual(outside) for _ in range(blocks)])

    def forward(self, x: Tensor) -> Tensor:
        return self.blocks(F.relu(self.down(x)))


class DetectorNetwork(nn.Module):
    """
    Centres and boxes on a grid of cells, after CenterNet (Zhou et al. 2019, "Objects as Points").

    channels  of the stages at stride 2, 4, 8, 16, 32
    blocks    residual blocks of each stage
    neck      channels at which strides 8, 16 and 32 are joined
    """

    def __init__(self, channels: Sequence[int], blocks: Sequence[int], neck: int) -> None:
        super().__init__()
        inside = (3, *channels[:-1])
        self.stages = nn.ModuleList(map(Stage, inside, channels, blocks))
        self.laterals = nn.ModuleList(ConvNorm(c, neck, kernel=1) for c in channels[2:])
        self.merges = nn.ModuleList(ConvNorm(neck, neck) for _ in channels[3:])
        answer = nn.Conv2d(neck, 5, 1)
        assert answer.bias is not None
        nn.init.constant_(answer.bias[:1], -4.0)  # a cell is rarely a centre
        self.head = nn.Sequential(ConvNorm(neck, neck), nn.ReLU(), answer)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """
        Return for every cell how much it is a person's centre, and the box it would give.

        images   (B, 3, h, w)        0 to 1, RGB, sides multiples of 32
        returns  (B, h/8, w/8)       logit of being a centre
                 (B, 4, h/8, w/8)    left, top, right, bottom in network pixels
        """
        return self.answer(self.features(images))

    def features(self, images: Tensor) -> Tensor:
        """Return what the cells know: (B, neck, h/8, w/8) of images (B, 3, h, w)."""
        x, levels = images - 0.5, []
        for stage in self.stages:
            x = stage(x)
            levels.append(x)
        *finer, top = (lat(x) for lat, x in zip(self.laterals, levels[2:], strict=True))
        for level, merge in zip(reversed(finer), self.merges, strict=True):
            top = F.relu(merge(level + F.interpolate(top, scale_factor=2.0)))
        return top

    def answer(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """Return logits and boxes as forward does, from features (B, neck, h/8, w/8)."""
        out = self.head(features)
        return out[:, 0], boxes_of_cells(out[:, 1:])


def boxes_of_cells(out: Tensor) -> Tensor:
    """
    Turn offsets and logarithmic sizes into corners.

    out      (B, 4, rows, columns)  centre minus cell, in cells; log of width and height / 64
    returns  (B, 4, rows, columns)  left, top, right, bottom in network pixels
    """
    rows, columns = out.shape[-2:]
    y = STRIDE * (torch.arange(rows, device=out.device) + 0.5) - 0.5
    x = STRIDE * (torch.arange(columns, device=out.device) + 0.5) - 0.5
    cells = torch.stack([x.expand(rows, -1), y[:, None].expand(-1, columns)])
    center = cells + STRIDE * out[:, :2]
    half = SIZE_UNIT / 2 * out[:, 2:].clamp(-4, 4).exp()
    return torch.cat([center - half, center + half], dim=1)
