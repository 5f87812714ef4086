"""Pose decoder of Feng et al. 2023: noisy heatmaps, step and F in, clean heatmaps out."""

from collections.abc import Sequence
import math

from diffpose_ros.video2d.layers import conv_bn, deconv_bn
from diffpose_ros.video2d.lmsfi import HighScale, LowScale
import torch
from torch import nn, Tensor

Scales = tuple[Tensor, Tensor, Tensor]  # of 1, 2 and 4 times the size of F


def take_turns(scales: Scales, views: int, sets: int) -> Scales:
    """Return the scales of a batch of views (views * B) for sets that look at them in turn."""
    if sets == views:
        return scales
    F_1, F_2, F_3 = (
        torch.cat([seen[n % views] for n in range(sets)])
        for seen in (F_j.unflatten(0, (views, -1)) for F_j in scales)
    )
    return F_1, F_2, F_3


def step_embedding(t: Tensor, dim: int) -> Tensor:
    """Return sines and cosines (B, dim) of the steps t (B,), as in Vaswani et al. 2017."""
    frequencies = torch.exp(
        -math.log(10000.0) * torch.arange(dim // 2, device=t.device) / (dim // 2)
    )
    phase = t[:, None].float() * frequencies
    return torch.cat([phase.sin(), phase.cos()], dim=1)


class StepScale(nn.Module):
    """Re-scales the noisy heatmaps by the step: xbar = x * (1 + scale(t)) + shift(t)."""

    EMBEDDING = 64

    def __init__(self, joints: int) -> None:
        super().__init__()
        self.mlp = nn.Sequential(
            nn.Linear(self.EMBEDDING, self.EMBEDDING),
            nn.GELU(),
            nn.Linear(self.EMBEDDING, 2 * joints),
        )

    def forward(self, x_t: Tensor, t: Tensor) -> Tensor:
        """Return xbar, same shape as x_t (B, J, h, w); t (B,) int."""
        change = self.mlp(step_embedding(t, self.EMBEDDING).to(x_t))[:, :, None, None]
        scale, shift = change.chunk(2, dim=1)
        return x_t * (1 + scale) + shift


class PoseDecoder(nn.Module):
    """
    f(x_t, F, t) -> clean heatmaps; what depends on F alone is computed once by `scales`.

    dim     channels of F and F^1
    widths  channels of F^2 and F^3
    """

    def __init__(
        self,
        joints: int,
        dim: int,
        widths: tuple[int, int],
        heads: int,
        layers: int,
        grid: tuple[int, int],
    ) -> None:
        super().__init__()
        self.lift_1 = nn.Conv2d(dim, dim, 1)
        self.lift_2 = deconv_bn(dim, widths[0])
        self.lift_3 = deconv_bn(widths[0], widths[1])
        self.step_scale = StepScale(joints)
        self.down_2 = conv_bn(joints, 16, 3, stride=2)
        self.down_1 = conv_bn(16, 32, 3, stride=2)
        out = widths[1]
        self.scale_1 = LowScale(32, dim, out, heads, layers, grid)
        self.scale_2 = HighScale(16, widths[0], out, enlarge=2)
        self.scale_3 = HighScale(joints, widths[1], out, enlarge=1)
        self.head = nn.Conv2d(out, joints, 3, padding=1)
        nn.init.normal_(self.head.weight, std=0.01)
        assert self.head.bias is not None
        nn.init.zeros_(self.head.bias)

    def scales(self, F: Tensor) -> Scales:
        """Return F^1, F^2, F^3 at 1, 2 and 4 times the size of F (B, dim, h, w)."""
        F_2 = self.lift_2(F)
        return self.lift_1(F), F_2, self.lift_3(F_2)

    def masks(self, x_t: Tensor, t: Tensor) -> Scales:
        """Return the masks A^1 to A^3, (B, 1, h, w) to (B, 1, 4h, 4w): all that x_t tells."""
        x_3 = self.step_scale(x_t.to(self.head.weight.dtype), t)
        x_2 = self.down_2(x_3)
        x_1 = self.down_1(x_2)
        return self.scale_1.find(x_1), self.scale_2.find(x_2), self.scale_3.find(x_3)

    def answer(self, masks: Sequence[Tensor], scales: Scales) -> Tensor:
        """Return the heatmaps (B, J, 4h, 4w) of what the masks look up in the scales of F."""
        Y = self.scale_1(masks[0], scales[0])
        Y = Y + self.scale_2(masks[1], scales[1]) + self.scale_3(masks[2], scales[2])
        return self.head(Y)

    def forward(self, x_t: Tensor, scales: Scales, t: Tensor) -> Tensor:
        """
        Return the predicted clean heatmaps, about 0 to 1.

        x_t      (B, J, 4h, 4w)  noisy heatmaps
        scales   F^1 to F^3, (B, C, h, w) to (B, C, 4h, 4w)
        t        (B,)            diffusion step
        returns  (B, J, 4h, 4w)
        """
        return self.answer(self.masks(x_t, t), scales)
