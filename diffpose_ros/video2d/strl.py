"""Spatio-temporal representation learner: a window of feature maps becomes one."""

from diffpose_ros.video2d.layers import EncoderLayer, GridPosition, to_map, to_tokens
import torch
from torch import nn, Tensor
from torch.nn import functional


class SpatioTemporalLearner(nn.Module):
    """
    STRL of Feng et al. 2023: all frames' tokens in one sequence, pre-LN encoder, merging MLP.

    Frames may be missing: nobody attends to them, and in the merge a learned vector stands for
    them. Slots that are empty in the whole batch cost nothing.
    """

    def __init__(
        self, channels: int, dim: int, layers: int, heads: int, slots: int, grid: tuple[int, int]
    ) -> None:
        super().__init__()
        self.embed = nn.Conv2d(channels, dim, 1)
        self.space = GridPosition(dim, grid)
        self.time = nn.Parameter(0.02 * torch.randn(slots, dim, 1, 1))
        self.layers = nn.ModuleList(EncoderLayer(dim, heads) for _ in range(layers))
        self.norm = nn.LayerNorm(dim)
        self.hole = nn.Parameter(torch.zeros(slots, 1, dim))
        self.merge = nn.Sequential(nn.Linear(slots * dim, dim), nn.GELU(), nn.Linear(dim, dim))

    def forward(self, features: Tensor, present: Tensor) -> Tensor:
        """
        Return F of the window.

        features  (B, T, C, h, w)  of single frames; what stands in a hole does not matter
        present   (B, T)           bool, False = hole
        returns   (B, dim, h, w)
        """
        rows, columns = features.shape[-2:]
        used = present.any(dim=0).nonzero().flatten()
        seen = present[:, used]  # (B, t)
        tokens = self._encode(features[:, used], seen, self.time[used])
        tokens = self.norm(tokens).unflatten(1, (seen.shape[1], rows * columns))
        merged = self.merge(self._fill(tokens, seen, used))
        return to_map(merged, rows, columns)

    def _encode(self, features: Tensor, seen: Tensor, time: Tensor) -> Tensor:
        rows, columns = features.shape[-2:]
        tokens, mask = features.flatten(3).transpose(2, 3), None  # (B, t, n, C)
        if not seen.all():
            # A hole may hold anything, NaN included, and must not reach the sums of the attention.
            tokens = tokens.masked_fill(~seen[:, :, None, None], 0)
            mask = seen.repeat_interleave(rows * columns, dim=1)[:, None, None]
        embedded = functional.linear(tokens, self.embed.weight.flatten(1), self.embed.bias)
        x = (embedded + to_tokens(self.space(rows, columns) + time)).flatten(1, 2)
        for layer in self.layers:
            x = layer(x, mask)
        return x

    def _fill(self, tokens: Tensor, seen: Tensor, used: Tensor) -> Tensor:
        B, _, n, dim = tokens.shape
        slots = self.hole.to(tokens.dtype).expand(B, -1, n, dim)
        filled = torch.where(seen[:, :, None, None], tokens, slots[:, used])
        return slots.index_copy(1, used, filled).transpose(1, 2).flatten(2)  # (B, n, T * dim)
