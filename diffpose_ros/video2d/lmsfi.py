"""
Look-up based multi-scale feature interaction (LMSFI) of Feng et al. 2023.

At each scale j the noisy heatmaps only tell where to look: A = sigmoid(max over channels) is one
mask of likely joints, and the local features A * F stand beside the global ones F.
"""

from diffpose_ros.video2d.layers import (
    conv_bn,
    EncoderLayer,
    GridPosition,
    resize,
    to_map,
    to_tokens,
)
import torch
from torch import nn, Tensor


def mask_of(refined: Tensor) -> Tensor:
    """Return A (B, 1, h, w), likely joints, of refined noisy heatmaps (B, c, h, w)."""
    return torch.sigmoid(refined.amax(dim=1, keepdim=True))


def look_up(A: Tensor, features: Tensor) -> Tensor:
    """
    Return local and global features side by side.

    A         (B, 1, h, w)  mask of likely joints
    features  (B, C, h, w)  F of this scale
    returns   (B, 2C, h, w)
    """
    return torch.cat([A * features, features], dim=1)


class LowScale(nn.Module):
    """Scale 1: SeRef and Trans are transformers; the result is enlarged four times."""

    def __init__(
        self, c: int, dim: int, out: int, heads: int, layers: int, grid: tuple[int, int]
    ) -> None:
        super().__init__()
        self.embed = nn.Conv2d(c, dim // 2, 1)
        self.position = GridPosition(dim // 2, grid)
        self.refine = EncoderLayer(dim // 2, heads)
        self.join = nn.Linear(2 * dim, dim)
        self.layers = nn.ModuleList(EncoderLayer(dim, heads) for _ in range(layers))
        self.out = conv_bn(dim, out, 1)

    def find(self, x: Tensor) -> Tensor:
        """Return the mask A^1 (B, 1, h, w) of noisy heatmaps x (B, c, h, w)."""
        rows, columns = x.shape[2:]
        refined = self.refine(to_tokens(self.embed(x) + self.position(rows, columns)))
        return mask_of(to_map(refined, rows, columns))

    def forward(self, A: Tensor, features: Tensor) -> Tensor:
        """Return Y^1 (B, out, 4h, 4w) of A^1 (B, 1, h, w) and F^1 (B, dim, h, w)."""
        rows, columns = features.shape[2:]
        tokens = self.join(to_tokens(look_up(A, features)))
        for layer in self.layers:
            tokens = layer(tokens)
        return resize(self.out(to_map(tokens, rows, columns)), 4 * rows, 4 * columns)


class HighScale(nn.Module):
    """Scales 2 and 3: convolutions instead, since attention would cost the square of the size."""

    def __init__(self, c: int, channels: int, out: int, enlarge: int) -> None:
        super().__init__()
        self.enlarge = enlarge
        self.refine = nn.Sequential(conv_bn(c, 16, 3), nn.Conv2d(16, 16, 3, padding=1))
        self.mix = conv_bn(2 * channels, channels, 3)
        self.out = conv_bn(channels, out, 1)

    def find(self, x: Tensor) -> Tensor:
        """Return the mask A^j (B, 1, h, w) of noisy heatmaps x (B, c, h, w)."""
        return mask_of(self.refine(x))

    def forward(self, A: Tensor, features: Tensor) -> Tensor:
        """Return Y^j, as wide as the heatmaps, of A^j (B, 1, h, w) and F^j (B, C, h, w)."""
        Y = self.out(self.mix(look_up(A, features)))
        return resize(Y, *(self.enlarge * n for n in Y.shape[2:]))
