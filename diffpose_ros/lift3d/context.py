"""
The context encoder: spatial and temporal context f_ST of the key frame, and a first pose from it.

The temporal encoder is a transformer over the window; a token is the whole body in three
neighbouring slots, so that a window with every third frame fills all tokens. (MixSTE, Zhang et al.
2022, has a token per joint and frame; for a window this short that costs six times as much.)
The frame encoder on the graph (GraFormer, Zhao et al. 2022) joins what it says with the key frame.

B windows, T slots, G = T / 3 groups of slots, J joints, C channels per joint, W per token
"""

from dataclasses import dataclass

from diffpose_ros.core.skeleton import H36M_17, HIP
from diffpose_ros.lift3d.graph import GraphNetwork
from diffpose_ros.lift3d.observation import FEATURES, GROUP, in_groups, Observation
import torch
from torch import nn, Tensor
import torch.nn.functional as F

STATE = 5  # u, v, x, y, z


@dataclass(frozen=True)
class Context:
    """
    What the encoder makes of a window.

    features  (B, J, C)     f_ST
    state     (B, J, 5)     u, v in sizes; x, y, z in metres relative to the hip
    spread    (B, J, 3)     deviations of x, y, z, metres
    poses     (B, g, J, 3)  x, y, z of a group's middle slot, from the temporal part alone
    groups    (g,)          which groups these are
    """

    features: Tensor
    state: Tensor
    spread: Tensor
    poses: Tensor
    groups: Tensor

    def detached(self) -> 'Context':
        """Return the same without gradients."""
        return Context(*(value.detach() for value in vars(self).values()))


class Block(nn.Module):
    """One transformer layer."""

    def __init__(self, C: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm1, self.norm2 = nn.LayerNorm(C), nn.LayerNorm(C)
        self.qkv, self.out = nn.Linear(C, 3 * C), nn.Linear(C, C)
        self.up, self.down = nn.Linear(C, 2 * C), nn.Linear(2 * C, C)

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """Return x (B, n, C) after the layer; mask (B, 1, 1, n) is true for tokens to look at."""
        B, n, C = x.shape
        qkv = self.qkv(self.norm1(x)).view(B, n, 3, self.heads, C // self.heads)
        q, k, v = qkv.permute(2, 0, 3, 1, 4)
        mixed = F.scaled_dot_product_attention(q, k, v, attn_mask=mask)
        x = x + self.out(mixed.transpose(1, 2).reshape(B, n, C))
        return x + self.down(F.gelu(self.up(self.norm2(x)), approximate='tanh'))


class TemporalEncoder(nn.Module):
    """Attention among groups of slots."""

    def __init__(self, T: int, joints: int, W: int, layers: int, heads: int) -> None:
        super().__init__()
        self.embed = nn.Linear(GROUP * joints * FEATURES, W)
        self.group = nn.Parameter(0.02 * torch.randn(T // GROUP, W))
        self.blocks = nn.ModuleList(Block(W, heads) for _ in range(layers))
        self.norm = nn.LayerNorm(W)

    def forward(self, features: Tensor, present: Tensor, groups: Tensor) -> Tensor:
        """
        Run the blocks.

        features  (B, T, J, 7)
        present   (B, T)
        groups    (g,)  the groups to look at
        returns   (B, g, W)
        """
        B, T = present.shape
        filled = in_groups(present)
        tokens = features.reshape(B, T // GROUP, -1)[:, groups]
        x = self.embed(tokens) + self.group[groups]
        mask = filled[:, None, None, groups]
        for block in self.blocks:
            x = block(x, mask)
        return self.norm(x)


class ContextEncoder(nn.Module):
    """Temporal encoder, then frame encoder."""

    def __init__(
        self, past: int, future: int, C: int, W: int, layers: int, frame_layers: int, heads: int
    ) -> None:
        super().__init__()
        T, joints = past + 1 + future, len(H36M_17.joints)
        if T % GROUP or past % GROUP != GROUP // 2:
            raise ValueError(
                f'past = {past}, future = {future}: the window must consist of groups of {GROUP} '
                'slots with the key slot in the middle of one; try 13 and 13'
            )
        self._key = past
        self.temporal = TemporalEncoder(T, joints, W, layers, heads)
        self.poses = nn.Linear(W, 3 * joints)
        self.per_joint = nn.Linear(W, joints * C // 2)
        edges = H36M_17.edges
        self.frame = GraphNetwork(edges, FEATURES + 3 + C // 2, STATE + 3, C, frame_layers, heads)
        nn.init.zeros_(self.frame.gconv_output.weight)
        nn.init.normal_(self.poses.weight, std=0.01)

    def forward(self, observation: Observation) -> Context:
        features = observation.features
        B, _, J, _ = features.shape
        groups = observation.groups
        window = self.temporal(features, observation.present, groups)
        poses = relative(self.poses(window).view(B, -1, J, 3))
        middle = (groups < self._key // GROUP).sum(dim=0, keepdim=True)
        told = self.per_joint(window.index_select(1, middle)[:, 0]).view(B, J, -1)
        pose = poses.index_select(1, middle)[:, 0]
        key_frame = torch.cat([features[:, self._key], pose, told], dim=-1)
        f_ST, out = self.frame.features_and_output(key_frame)
        xyz = relative(pose + out[..., 2:5] / 4)
        spread = (out[..., 5:] - 3).clamp(-6, 0).exp()
        return Context(f_ST, torch.cat([out[..., :2], xyz], dim=-1), spread, poses, groups)


def relative(xyz: Tensor) -> Tensor:
    """Return positions (..., J, 3) relative to the hip."""
    return xyz - xyz[..., HIP, None, :]
