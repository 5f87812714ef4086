"""
Graph networks for inference: everything that does not depend on the input is computed once.

- normalisation's scale and shift go into the next product,
- query, key and value are one product; the learned adjacency is normalised once,
- the step embedding goes through the second convolution of a block: a bias per step,
- the part of the input that stays the same over steps and hypotheses is convolved once.

Exact up to rounding; the numbers are those of graph.GraphNetwork in eval mode.

J joints, R rows, C channels; arrays are (J, R, C) inside.
"""

from dataclasses import dataclass
import math
from typing import cast

from diffpose_ros.lift3d.graph import (
    ChebConv,
    EPS,
    GraphAttention,
    GraphNetwork,
    mix_joints,
    Norm,
    ResChebConv,
)
import torch
from torch import nn, Tensor
import torch.nn.functional as F


@dataclass(frozen=True)
class FoldedConv:
    """
    A Chebyshev convolution.

    own    (C_in, C_out)     weights of T_0, the identity
    mixed  (2, C_in, C_out)  weights of T_1 and T_2
    bias   (C_out,)
    """

    own: Tensor
    mixed: Tensor
    bias: Tensor

    @classmethod
    def of(cls, conv: ChebConv) -> 'FoldedConv':
        """Take the weights of a convolution."""
        return cls(conv.weight[0, 0].clone(), conv.weight[1:, 0].clone(), conv.bias[0, 0].clone())

    def part(self, channels: slice) -> 'FoldedConv':
        """Return the convolution of some of the input's channels, without bias."""
        zero = torch.zeros_like(self.bias)
        return FoldedConv(self.own[channels], self.mixed[:, channels], zero)

    def __call__(self, x: Tensor, T: Tensor, bias: Tensor | None = None) -> Tensor:
        """Return (J, R, C_out) from x (J, R, C_in) and T_1, T_2 (2, J, J)."""
        J, R, C = x.shape
        mixed = mix_joints(T, x).view(2, J * R, C)
        out = torch.addmm(self.bias if bias is None else bias, x.reshape(J * R, C), self.own)
        return out.addbmm_(mixed, self.mixed).view(J, R, -1)

    def constant(self, value: Tensor) -> Tensor:
        """Return what the same value (C_in,) at all joints gives; T has row sums 1, 0, -1."""
        return value @ (self.own - self.mixed[1])


@dataclass(frozen=True)
class FoldedBlock:
    """One attention layer and one residual convolution."""

    qkv: Tensor
    qkv_bias: Tensor
    out: Tensor
    out_bias: Tensor
    A: Tensor
    up: Tensor
    up_bias: Tensor
    down: Tensor
    down_bias: Tensor
    first: FoldedConv
    second: FoldedConv
    heads: int

    @classmethod
    def of(cls, attention: GraphAttention, convolution: ResChebConv) -> 'FoldedBlock':
        """Fold a pair of layers."""
        norms = [cast(Norm, layer.norm) for layer in attention.sublayer]
        linears = cast(list[nn.Linear], list(attention.self_attn.linears))
        qkv = torch.cat([linear.weight for linear in linears[:3]])
        qkv_bias = torch.cat([linear.bias for linear in linears[:3]])
        graph = attention.feed_forward
        d = (graph.A_hat.sum(dim=0) + 1e-5).rsqrt()
        A = d[:, None] * graph.A_hat * d
        up, down = graph.gconv1.fc, graph.gconv2.fc
        shift = A.sum(dim=1)[:, None] * (up.weight @ norms[1].b_2)
        return cls(
            (qkv * unbiased(norms[0])).T.contiguous(),
            qkv_bias + qkv @ norms[0].b_2,
            linears[3].weight.T.contiguous(),
            linears[3].bias.clone(),
            A,
            (up.weight * unbiased(norms[1])).T.contiguous(),
            (shift + up.bias)[:, None],
            down.weight.T.contiguous(),
            down.bias.clone(),
            FoldedConv.of(convolution.gconv1.gconv),
            FoldedConv.of(convolution.gconv2.gconv),
            attention.self_attn.heads,
        )

    def __call__(self, h: Tensor, T: Tensor, bias: Tensor) -> Tensor:
        """Return h (J, R, C) after the block; h is overwritten."""
        h += self._attend(whitened(h))
        hidden = (mix_joints(self.A, whitened(h)) @ self.up).add_(self.up_bias).relu_()
        h += self.down_bias
        h.view(len(h), -1).addmm_(self.A, (hidden @ self.down).view(len(h), -1))
        inner = self.first(h, T).relu_()
        h += self.second(inner, T, bias).relu_()
        return h

    def _attend(self, x: Tensor) -> Tensor:
        J, R, C = x.shape
        qkv = torch.addmm(self.qkv_bias, x.view(-1, C), self.qkv)
        q, k, v = qkv.view(J, R, 3, self.heads, C // self.heads).permute(2, 1, 3, 0, 4)
        mixed = F.scaled_dot_product_attention(q, k, v).permute(2, 0, 1, 3)
        return torch.addmm(self.out_bias, mixed.reshape(-1, C), self.out).view(J, R, C)


def unbiased(norm: Norm) -> Tensor:
    """Return the scale of a normalisation for the unbiased deviation."""
    C = len(norm.a_2)
    return norm.a_2 * math.sqrt((C - 1) / C)


def whitened(x: Tensor) -> Tensor:
    """Return x with mean 0 and deviation 1 per joint; eps as Norm has it, to first order."""
    C = x.shape[-1]
    white, _, inverse = torch.native_layer_norm(x, (C,), None, None, 1e-12)
    return white.addcmul_(white, inverse, value=-EPS * math.sqrt((C - 1) / C))


class FoldedNetwork:
    """A GraphNetwork as it was when this was made; later changes of its weights do not count."""

    @torch.no_grad()
    def __init__(self, network: GraphNetwork) -> None:
        self._network = network
        self._T = network.T[1:].clone()
        self._input = FoldedConv.of(network.gconv_input)
        self._output = FoldedConv.of(network.gconv_output)
        self._convolutions = cast(list[ResChebConv], list(network.gconv_layers))
        attentions = cast(list[GraphAttention], list(network.atten_layers))
        self._blocks = [
            FoldedBlock.of(*pair) for pair in zip(attentions, self._convolutions, strict=True)
        ]
        self._biases: dict[float | None, list[Tensor]] = {}

    def given(self, x: Tensor) -> Tensor:
        """
        Convolve the last channels of the input, which stay the same over many calls.

        x        (R, J, c)
        returns  (J, R, C), to be handed to __call__
        """
        conv = self._input.part(slice(-x.shape[-1], None))
        return conv(x.transpose(0, 1), self._T, self._input.bias)

    def __call__(self, x: Tensor, t: float | None = None, given: Tensor | None = None) -> Tensor:
        """
        Run the network at one step for all rows.

        x        (R, J, C_in)  without the channels that `given` stands for
        t        diffusion step; None for a lifter
        given    (J, R, C)
        returns  (R, J, C_out)
        """
        if given is None:
            h = self._input(x.transpose(0, 1), self._T)
        else:
            conv = self._input.part(slice(x.shape[-1]))
            h = conv(x.transpose(0, 1), self._T).add_(given)
        for block, bias in zip(self._blocks, self._step_biases(t), strict=True):
            h = block(h, self._T, bias)
        return self._output(h, self._T).transpose(0, 1)

    @torch.no_grad()
    def _step_biases(self, t: float | None) -> list[Tensor]:
        if t not in self._biases:
            pairs = zip(self._blocks, self._embeddings(t), strict=True)
            self._biases[t] = [
                block.second.bias + block.second.constant(embedding) for block, embedding in pairs
            ]
        return self._biases[t]

    def _embeddings(self, t: float | None) -> list[Tensor]:
        if t is None or self._network.temb is None:
            return [torch.zeros_like(block.first.bias) for block in self._blocks]
        step = F.silu(self._network.temb(self._T.new_tensor([t])))[0]
        return [convolution.temb_proj(step) for convolution in self._convolutions]
