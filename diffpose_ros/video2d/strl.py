"""Spatio-temporal representation learner: a window of feature maps becomes one."""

from diffpose_ros.core.replay import filled_slots
from diffpose_ros.video2d.layers import EncoderLayer, GridPosition, Pointwise, to_map
import torch
from torch import nn, Tensor


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
        self.embed = Pointwise(channels, dim)
        self.space = GridPosition(dim, grid)
        self.time = nn.Parameter(0.02 * torch.randn(slots, dim, 1, 1))
        self.layers = nn.ModuleList(EncoderLayer(dim, heads) for _ in range(layers))
        self.norm = nn.LayerNorm(dim)
        self.hole = nn.Parameter(torch.zeros(slots, 1, dim))
        self.merge = nn.Sequential(nn.Linear(slots * dim, dim), nn.GELU(), nn.Linear(dim, dim))

    def forward(
        self,
        features: Tensor,
        present: Tensor,
        used: Tensor | None = None,
        whole: bool | None = None,
    ) -> Tensor:
        """
        Return F of the window.

        features  (B, T, C, h, w)  of single frames; what stands in a hole does not matter
        present   (B, T)           bool, False = hole
        used      (t,)             slots to look at: all that are filled anywhere
        whole                      whether there are no holes in these; both are found if not told
        returns   (B, dim, h, w)
        """
        rows, columns = features.shape[-2:]
        used = filled_slots(present) if used is None else used
        seen = present[:, used]  # (B, t)
        whole = bool(seen.all()) if whole is None else whole
        tokens = self._encode(features[:, used], seen, self.time[used], whole)
        tokens = self.norm(tokens).unflatten(1, (seen.shape[1], rows * columns))
        merged = self.merge(self._fill(tokens, seen, used))
        return to_map(merged, rows, columns)

    def _encode(self, features: Tensor, seen: Tensor, time: Tensor, whole: bool) -> Tensor:
        rows, columns = features.shape[-2:]
        mask = None
        if not whole:
            # A hole may hold anything, NaN included, and must not reach the sums of the attention.
            features = features.masked_fill(~seen[:, :, None, None, None], 0)
            mask = seen.repeat_interleave(rows * columns, dim=1)[:, None, None]
        embedded = self.embed(features.flatten(0, 1)).unflatten(0, seen.shape)
        places = self.space(rows, columns) + time  # (t, dim, h, w)
        x = (embedded + places).flatten(3).transpose(2, 3).flatten(1, 2)  # (B, t * n, dim)
        for layer in self.layers:
            x = layer(x, mask)
        return x

    def _fill(self, tokens: Tensor, seen: Tensor, used: Tensor) -> Tensor:
        B, _, n, _ = tokens.shape
        holes = self.hole.to(tokens.dtype)  # (T, 1, dim)
        filled = torch.where(seen[:, :, None, None], tokens, holes[used])  # (B, t, n, dim)
        slots = holes.transpose(0, 1).expand(B, n, -1, -1)
        return slots.index_copy(2, used, filled.transpose(1, 2)).flatten(2)  # (B, n, T * dim)
