"""Building blocks that several parts of the network share."""

from typing import TypeVar

import torch
from torch import nn, Tensor
from torch.nn import functional
from torch.nn.utils.fusion import fuse_conv_bn_eval

Network = TypeVar('Network', bound=nn.Module)


def conv_bn(
    channels: int, out: int, kernel: int, stride: int = 1, relu: bool = True
) -> nn.Sequential:
    """Return convolution and batch normalisation, with ReLU if asked for."""
    if kernel == stride == 1:
        conv: nn.Conv2d = Pointwise(channels, out, bias=False)
    else:
        conv = nn.Conv2d(channels, out, kernel, stride, kernel // 2, bias=False)
    return nn.Sequential(conv, nn.BatchNorm2d(out), *([nn.ReLU(inplace=True)] if relu else []))


def deconv_bn(channels: int, out: int) -> nn.Sequential:
    """Return a layer that doubles the resolution, as in the head of ViTPose."""
    conv = nn.ConvTranspose2d(channels, out, 4, stride=2, padding=1, bias=False)
    return nn.Sequential(conv, nn.BatchNorm2d(out), nn.ReLU(inplace=True))


class Pointwise(nn.Conv2d):
    """A 1x1 convolution as one product of matrices, which small maps prefer."""

    def __init__(self, channels: int, out: int, bias: bool = True) -> None:
        super().__init__(channels, out, 1, bias=bias)

    def forward(self, x: Tensor) -> Tensor:
        """Return maps (B, out, h, w), laid out channels last, of maps (B, channels, h, w)."""
        tokens = functional.linear(to_tokens(x), self.weight.flatten(1), self.bias)
        return to_map(tokens, *x.shape[2:])


class EncoderLayer(nn.Module):
    """Pre-LN transformer layer: x + MHSA(LN(x)), then x + FFN(LN(x))."""

    def __init__(self, dim: int, heads: int, expansion: int = 4) -> None:
        super().__init__()
        self.heads = heads
        self.norm_1, self.norm_2 = nn.LayerNorm(dim), nn.LayerNorm(dim)
        self.qkv, self.out = nn.Linear(dim, 3 * dim), nn.Linear(dim, dim)
        self.ffn = nn.Sequential(
            nn.Linear(dim, expansion * dim), nn.GELU(), nn.Linear(expansion * dim, dim)
        )

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """
        Return x refined by attention.

        x        (B, n, dim)
        mask     (B, 1, 1, n)  bool, False = nobody may look at this token
        returns  (B, n, dim)
        """
        x = x + self._attend(self.norm_1(x), mask)
        return x + self.ffn(self.norm_2(x))

    def _attend(self, x: Tensor, mask: Tensor | None) -> Tensor:
        q, k, v = self.qkv(x).unflatten(-1, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        seen = functional.scaled_dot_product_attention(q, k, v, attn_mask=mask)
        return self.out(seen.transpose(1, 2).flatten(2))


class GridPosition(nn.Module):
    """
    Learnable embedding of every cell of a grid; resized where the grid at hand differs.

    Weights of another grid are resized when they are loaded, so that a training may start from
    a checkpoint for smaller crops.
    """

    def __init__(self, dim: int, grid: tuple[int, int]) -> None:
        super().__init__()
        self.weight = nn.Parameter(0.02 * torch.randn(1, dim, *grid))
        self.register_load_state_dict_pre_hook(self._fit_to_grid)

    def forward(self, rows: int, columns: int) -> Tensor:
        """Return (1, dim, rows, columns)."""
        return resize(self.weight, rows, columns)

    def _fit_to_grid(
        self, _module: nn.Module, tensors: dict[str, Tensor], prefix: str, *_unused: object
    ) -> None:
        name = prefix + 'weight'
        if name in tensors and tensors[name].ndim == 4:
            rows, columns = self.weight.shape[2:]
            tensors[name] = resize(tensors[name], rows, columns)


def resize(maps: Tensor, rows: int, columns: int) -> Tensor:
    """Return maps (B, C, h, w) as (B, C, rows, columns)."""
    if maps.shape[2:] == (rows, columns):
        return maps
    return functional.interpolate(maps, (rows, columns), mode='bilinear', align_corners=False)


def to_tokens(x: Tensor) -> Tensor:
    """Turn a map (B, C, h, w) into tokens (B, h * w, C)."""
    return x.flatten(2).transpose(1, 2)


def to_map(tokens: Tensor, rows: int, columns: int) -> Tensor:
    """Turn tokens (B, rows * columns, C) into a map (B, C, rows, columns), channels last."""
    return tokens.unflatten(1, (rows, columns)).permute(0, 3, 1, 2)


def fold_batch_norms(module: nn.Module) -> nn.Module:
    """Merge every BatchNorm of a module in eval mode into the convolution before it."""
    for child in module.children():
        fold_batch_norms(child)
    if isinstance(module, nn.Sequential):
        for i in range(len(module) - 1):
            conv, norm = module[i], module[i + 1]
            if isinstance(norm, nn.BatchNorm2d):
                assert isinstance(conv, nn.Conv2d | nn.ConvTranspose2d)
                transpose = isinstance(conv, nn.ConvTranspose2d)
                module[i] = fuse_conv_bn_eval(conv, norm, transpose)
                module[i + 1] = nn.Identity()
    return module


def to_channels_last(network: Network) -> Network:
    """Lay out the weights of a network so that convolutions run fastest; return the network."""
    for parameter in network.parameters():
        if parameter.ndim == 4:
            parameter.data = parameter.data.contiguous(memory_format=torch.channels_last)
    return network


def in_precision(network: Network, precision: torch.dtype) -> Network:
    """Turn the weights of a network, but no constants, into other numbers; return the network."""
    for parameter in network.parameters():
        parameter.data = parameter.data.to(precision)
    return network
