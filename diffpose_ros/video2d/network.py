"""The whole 2D network: configuration and assembly."""

from dataclasses import dataclass
from typing import Any

from diffpose_ros.core.skeleton import Skeleton, SKELETONS
from diffpose_ros.diffusion.schedule import DiffusionSchedule
from diffpose_ros.video2d.backbone import (
    BACKBONES,
    COMPACT,
    CompactBackbone,
    STRIDE,
    VitBackbone,
)
from diffpose_ros.video2d.decoder import PoseDecoder
from diffpose_ros.video2d.strl import SpatioTemporalLearner
import torch
from torch import nn, Tensor

IMAGE_MEAN = (0.485, 0.456, 0.406)  # of ImageNet, red green blue, share of full scale
IMAGE_STD = (0.229, 0.224, 0.225)


@dataclass(frozen=True)
class NetworkConfig:
    """What fixes the shape of the network; stored in the checkpoint."""

    skeleton: str = 'posetrack_15'
    crop_size: tuple[int, int] = (128, 160)  # columns, rows
    past: int = 2  # earlier frames in the window
    future: int = 2  # later frames in the window
    backbone: str = COMPACT
    pretrained: str = ''  # published ViTPose weights to start from, only for the ViT
    widths: tuple[int, int, int] = (48, 96, 192)  # of the compact backbone
    depths: tuple[int, int, int] = (2, 2, 2)
    dim: int = 128  # channels of F
    strl_layers: int = 2
    decoder_layers: int = 1  # of the transformer at the lowest scale
    decoder_widths: tuple[int, int] = (64, 32)  # channels of F^2 and F^3
    heads: int = 4
    diffusion_steps: int = 1000
    signal_scale: float = 0.5  # heatmaps span -scale to scale before the noise is added

    def __post_init__(self) -> None:
        if self.backbone not in BACKBONES:
            raise ValueError(f'backbone = {self.backbone!r}; set it to one of {BACKBONES}')
        if any(n % STRIDE for n in self.crop_size):
            raise ValueError(
                f'crop_size = {self.crop_size}; both numbers must be multiples of {STRIDE}'
            )

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> 'NetworkConfig':
        """Return the configuration stored as JSON (which turns tuples into lists)."""
        known: dict[str, Any] = {
            key: tuple(value) if isinstance(value, list) else value
            for key, value in values.items()
        }
        return cls(**known)

    @property
    def slots(self) -> int:
        """Frames in a window."""
        return self.past + 1 + self.future

    @property
    def joints(self) -> Skeleton:
        """What the network predicts."""
        return SKELETONS[self.skeleton]


class PoseNetwork(nn.Module):
    """Backbone, STRL and pose decoder of Feng et al. 2023."""

    mean: Tensor
    std: Tensor

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        self.config = config
        self.schedule = DiffusionSchedule.cosine(config.diffusion_steps)
        columns, rows = config.crop_size
        grid = (rows // STRIDE, columns // STRIDE)
        self.backbone = make_backbone(config)
        self.strl = SpatioTemporalLearner(
            self.backbone.channels,
            config.dim,
            config.strl_layers,
            config.heads,
            config.slots,
            grid,
        )
        self.decoder = PoseDecoder(
            len(config.joints.joints),
            config.dim,
            config.decoder_widths,
            config.heads,
            config.decoder_layers,
            grid,
        )
        self.register_buffer('mean', 255 * torch.tensor(IMAGE_MEAN).view(3, 1, 1), False)
        self.register_buffer('std', 255 * torch.tensor(IMAGE_STD).view(3, 1, 1), False)

    @property
    def dtype(self) -> torch.dtype:
        """Numbers of the weights."""
        return self.strl.time.dtype

    def features(self, pictures: Tensor) -> Tensor:
        """Return features (N, C, h/16, w/16) of pictures (N, 3, h, w), 0 to 255."""
        return self.backbone(((pictures - self.mean) / self.std).to(self.dtype))

    def to_signal(self, heat: Tensor) -> Tensor:
        """Turn heatmaps from 0 to 1 into the values that are diffused."""
        return (2 * heat.clamp(0, 1) - 1) * self.config.signal_scale

    def forward(self, x_t: Tensor, F: Tensor, t: Tensor) -> Tensor:
        """Return clean heatmaps (B, J, rows, columns), about 0 to 1; t (B,) steps."""
        return self.decoder(x_t, self.decoder.scales(F), t)


def make_backbone(config: NetworkConfig) -> CompactBackbone | VitBackbone:
    """Return the backbone that the configuration names."""
    if config.backbone == COMPACT:
        return CompactBackbone(config.widths, config.depths)
    return VitBackbone(config.crop_size, config.pretrained)
