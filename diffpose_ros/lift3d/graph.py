"""
Networks on the graph of a skeleton, as in GraFormer (Zhao et al. 2022) and DiffPose (2023).

The names of the parameters are those of the published checkpoints, so that these load as they are.

B rows, J joints, C channels, E width of the step embedding. Inside, arrays are (J, B, C): so a
mixture of joints is one matrix product for the whole batch.
"""

from collections.abc import Sequence
import math
from typing import cast

import torch
from torch import nn, Tensor
import torch.nn.functional as F

EPS = 1e-6  # of Norm


def adjacency(edges: Sequence[tuple[int, int]], joints: int) -> Tensor:
    """Return the row-normalised adjacency (J, J) of the graph with self loops."""
    A = torch.eye(joints)
    for i, j in edges:
        A[i, j] = A[j, i] = 1
    return A / A.sum(dim=1, keepdim=True)


def chebyshev_basis(A: Tensor) -> Tensor:
    """Return T_0, T_1, T_2 (3, J, J) of the Laplacian I - A; rows of A sum to 1."""
    eye = torch.eye(len(A))
    L = eye - A
    return torch.stack([eye, L, 2 * L @ L - eye])


def step_encoding(t: Tensor, width: int) -> Tensor:
    """Return sines, then cosines of the steps t (B,) at width / 2 frequencies; (B, width)."""
    half = width // 2
    frequency = torch.exp(torch.arange(half, device=t.device) * (-math.log(10000) / (half - 1)))
    angle = t.float()[:, None] * frequency
    return torch.cat([angle.sin(), angle.cos()], dim=1)


class ChebConv(nn.Module):
    """sum_k T_k X W_k + b, computed as one product over channels and one over joints."""

    def __init__(self, C_in: int, C_out: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(3, 1, C_in, C_out))
        self.bias = nn.Parameter(torch.zeros(1, 1, C_out))
        nn.init.xavier_normal_(self.weight)

    def forward(self, x: Tensor, T: Tensor) -> Tensor:
        """Return (J, B, C_out) from x (J, B, C_in) and T (3, J, J); T_0 is the identity."""
        spread = mix_joints(T[1:], x)
        stacked = torch.cat([x, *spread.unbind()], dim=-1)
        return stacked @ self.weight.flatten(0, 2) + self.bias


def mix_joints(A: Tensor, x: Tensor) -> Tensor:
    """Return sum_j A[..., i, j] x[j], (..., J, B, C), from A (..., J, J) and x (J, B, C)."""
    mixed = A.reshape(-1, A.shape[-1]) @ x.flatten(1)
    return mixed.view(*A.shape[:-1], *x.shape[1:])


class Norm(nn.Module):
    """Layer normalisation with the unbiased deviation; eps is added to the deviation."""

    def __init__(self, C: int) -> None:
        super().__init__()
        self.a_2 = nn.Parameter(torch.ones(C))
        self.b_2 = nn.Parameter(torch.zeros(C))

    def forward(self, x: Tensor) -> Tensor:
        C = x.shape[-1]
        # The fused kernel is ten times faster; 1 / (s + eps) = (1 - eps / s) / s to first order.
        white, _, inverse = torch.native_layer_norm(x, (C,), None, None, 1e-12)
        unbiased = math.sqrt((C - 1) / C)
        return white * (self.a_2 * unbiased * (1 - EPS * unbiased * inverse)) + self.b_2


class Attention(nn.Module):
    """Multi-head attention among the joints of a row."""

    def __init__(self, C: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.heads, self.dropout = heads, dropout
        self.linears = nn.ModuleList(nn.Linear(C, C) for _ in range(4))  # Q, K, V, out

    def forward(self, x: Tensor) -> Tensor:
        J, B, C = x.shape
        linears = cast(list[nn.Linear], list(self.linears))
        weight = torch.cat([linear.weight for linear in linears[:3]])
        bias = torch.cat([linear.bias for linear in linears[:3]])
        qkv = F.linear(x, weight, bias).view(J, B, 3, self.heads, C // self.heads)
        q, k, v = qkv.permute(2, 1, 3, 0, 4)
        dropout = self.dropout if self.training else 0.0
        mixed = F.scaled_dot_product_attention(q, k, v, dropout_p=dropout)
        return linears[3](mixed.permute(2, 0, 1, 3).reshape(J, B, C))


class _Linear(nn.Module):
    def __init__(self, C_in: int, C_out: int) -> None:
        super().__init__()
        self.fc = nn.Linear(C_in, C_out)


class GraphNet(nn.Module):
    """Two graph convolutions whose adjacency is learned."""

    def __init__(self, C: int, joints: int) -> None:
        super().__init__()
        self.A_hat = nn.Parameter(torch.eye(joints))
        self.gconv1 = _Linear(C, 2 * C)
        self.gconv2 = _Linear(2 * C, C)

    def forward(self, x: Tensor) -> Tensor:
        d = (self.A_hat.sum(dim=0) + 1e-5).rsqrt()
        A = d[:, None] * self.A_hat * d
        hidden = F.relu(self.gconv1.fc(mix_joints(A, x)))
        # Mix the joints after the second product: half the cost; the bias must not be mixed.
        return mix_joints(A, F.linear(hidden, self.gconv2.fc.weight)) + self.gconv2.fc.bias


class _Sublayer(nn.Module):
    def __init__(self, C: int) -> None:
        super().__init__()
        self.norm = Norm(C)


class GraphAttention(nn.Module):
    """Attention, then graph convolutions, both on normalised input and added to it."""

    def __init__(self, C: int, heads: int, joints: int, dropout: float) -> None:
        super().__init__()
        self.self_attn = Attention(C, heads, dropout)
        self.feed_forward = GraphNet(C, joints)
        self.sublayer = nn.ModuleList(_Sublayer(C) for _ in range(2))
        self.drop = nn.Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        first, second = cast(list[_Sublayer], list(self.sublayer))
        x = x + self.drop(self.self_attn(first.norm(x)))
        return x + self.drop(self.feed_forward(second.norm(x)))


class _Conv(nn.Module):
    def __init__(self, C: int) -> None:
        super().__init__()
        self.gconv = ChebConv(C, C)


class ResChebConv(nn.Module):
    """Two Chebyshev convolutions around a step embedding, added to the input."""

    def __init__(self, C: int, E: int, dropout: float) -> None:
        super().__init__()
        self.gconv1 = _Conv(C)
        self.gconv2 = _Conv(C)
        self.drop = nn.Dropout(dropout)
        if E:
            self.temb_proj = nn.Linear(E, C)

    def forward(self, x: Tensor, T: Tensor, step: Tensor | None) -> Tensor:
        hidden = F.relu(self.drop(self.gconv1.gconv(x, T)))
        if step is not None:
            hidden = hidden + self.temb_proj(step)
        return x + F.relu(self.drop(self.gconv2.gconv(hidden, T)))


class _StepEmbedding(nn.Module):
    def __init__(self, C: int) -> None:
        super().__init__()
        self.dense = nn.ModuleList([nn.Linear(C, 4 * C), nn.Linear(4 * C, 4 * C)])

    def forward(self, t: Tensor) -> Tensor:
        first, second = cast(list[nn.Linear], list(self.dense))
        encoding = step_encoding(t, first.in_features).to(first.weight.dtype)
        return second(F.silu(first(encoding)))


class GraphNetwork(nn.Module):
    """
    Chebyshev convolutions and attention in turns.

    edges        bones as pairs of joint positions
    C_in, C_out  channels per joint of input and output
    C, layers    width and depth
    stepped      told the diffusion step: a denoiser (GCNdiff); else a lifter (GCNpose)
    """

    T: Tensor

    def __init__(
        self,
        edges: Sequence[tuple[int, int]],
        C_in: int,
        C_out: int,
        C: int = 96,
        layers: int = 5,
        heads: int = 4,
        stepped: bool = False,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        joints = len(edges) + 1
        T = chebyshev_basis(adjacency(edges, joints))
        self.register_buffer('T', T, persistent=False)
        self.gconv_input = ChebConv(C_in, C)
        self.atten_layers = nn.ModuleList(
            GraphAttention(C, heads, joints, dropout) for _ in range(layers)
        )
        self.gconv_layers = nn.ModuleList(
            ResChebConv(C, 4 * C if stepped else 0, dropout) for _ in range(layers)
        )
        self.gconv_output = ChebConv(C, C_out)
        self.temb = _StepEmbedding(C) if stepped else None

    def forward(self, x: Tensor, t: Tensor | None = None) -> Tensor:
        """
        Run the network.

        x        (B, J, C_in)
        t        (B,) or (1,)  diffusion steps; None for a lifter
        returns  (B, J, C_out)
        """
        return self.features_and_output(x, t)[1]

    def features_and_output(self, x: Tensor, t: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Return what the output layer sees, (B, J, C), and what it makes of it."""
        step = None if self.temb is None or t is None else F.silu(self.temb(t))
        h = self.gconv_input(x.transpose(0, 1).contiguous(), self.T)
        for attention, convolution in zip(self.atten_layers, self.gconv_layers, strict=True):
            h = convolution(attention(h), self.T, step)
        return h.transpose(0, 1), self.gconv_output(h, self.T).transpose(0, 1)
