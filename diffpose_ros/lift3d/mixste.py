"""
The published video lifter, MixSTE (Zhang et al. 2022): attention among joints and among frames.

Names of the weights are the published ones; sizes are read from the weights.

B windows, T frames, J joints, C channels
"""

from collections.abc import Mapping

from diffpose_ros.core.skeleton import H36M_17
import torch
from torch import nn, Tensor
import torch.nn.functional as F

HEADS = 8
EPS = 1e-6
JOINTS = len(H36M_17.joints)


class Attention(nn.Module):
    """Self-attention."""

    def __init__(self, C: int) -> None:
        super().__init__()
        self.qkv, self.proj = nn.Linear(C, 3 * C), nn.Linear(C, C)

    def forward(self, x: Tensor) -> Tensor:
        R, n, C = x.shape
        q, k, v = self.qkv(x).view(R, n, 3, HEADS, C // HEADS).permute(2, 0, 3, 1, 4)
        mixed = F.scaled_dot_product_attention(q, k, v)
        return self.proj(mixed.transpose(1, 2).reshape(R, n, C))


class Mlp(nn.Module):
    """Two layers per token."""

    def __init__(self, C: int, hidden: int) -> None:
        super().__init__()
        self.fc1, self.fc2 = nn.Linear(C, hidden), nn.Linear(hidden, C)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc2(F.gelu(self.fc1(x)))


class Layer(nn.Module):
    """One layer of a transformer."""

    def __init__(self, C: int, hidden: int) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(C, EPS), nn.LayerNorm(C, EPS)
        self.attn, self.mlp = Attention(C), Mlp(C, hidden)

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.attn(self.norm1(x))
        return x + self.mlp(self.norm2(x))


class MixSTE(nn.Module):
    """Layers among the joints of a frame and among the frames of a joint, in turn."""

    def __init__(self, frames: int, C: int, depth: int, hidden: int) -> None:
        super().__init__()
        self.frames = frames
        self.Spatial_patch_to_embedding = nn.Linear(2, C)
        self.Spatial_pos_embed = nn.Parameter(torch.zeros(1, JOINTS, C))
        self.Temporal_pos_embed = nn.Parameter(torch.zeros(1, frames, C))
        self.STEblocks = nn.ModuleList(Layer(C, hidden) for _ in range(depth))
        self.TTEblocks = nn.ModuleList(Layer(C, hidden) for _ in range(depth))
        self.Spatial_norm, self.Temporal_norm = nn.LayerNorm(C, EPS), nn.LayerNorm(C, EPS)
        self.head = nn.Sequential(nn.LayerNorm(C), nn.Linear(C, 3))

    @classmethod
    def sized_as(cls, weights: Mapping[str, Tensor]) -> 'MixSTE':
        """Build the network that weights of the published names belong to, without memory."""
        shape = tuple(weights['Temporal_pos_embed'].shape)
        if len(shape) != 3 or shape[1] % 2 == 0 or shape[2] % HEADS:
            raise ValueError(
                f'Temporal_pos_embed has shape {shape}; give weights of a window with a middle '
                f'frame, (1, odd, multiple of {HEADS})'
            )
        _, frames, C = shape
        depth = sum(name.startswith('STEblocks.') for name in weights) // len(
            Layer(HEADS, 1).state_dict()
        )
        with torch.device('meta'):  # whoever claims sizes must have the weights
            return cls(frames, C, depth, len(weights['STEblocks.0.mlp.fc1.bias'])).eval()

    def forward(self, uv: Tensor) -> Tensor:
        """Return poses (B, T, J, 3) in metres of u, v (B, T, J, 2)."""
        B, T, J, _ = uv.shape
        x = self.Spatial_patch_to_embedding(uv) + self.Spatial_pos_embed
        for i, (among_joints, among_frames) in enumerate(
            zip(self.STEblocks, self.TTEblocks, strict=True)
        ):
            x = self.Spatial_norm(among_joints(x.reshape(B * T, J, -1)))
            x = x.view(B, T, J, -1).transpose(1, 2).reshape(B * J, T, -1)
            x = x + self.Temporal_pos_embed if i == 0 else x
            x = self.Temporal_norm(among_frames(x))
            x = x.view(B, J, T, -1).transpose(1, 2)
        return self.head(x)
