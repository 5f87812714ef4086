"""
One step of training the 2D video estimator: noise, prediction, loss that bears wrong labels.

The paper starts from a backbone that already knows people. Here the first part of a run, WARM_UP,
teaches the backbone with a plain heatmap head, which is then thrown away.
"""

from diffpose_ros.train.loop import average_gradients, Budget, Ema
from diffpose_ros.video2d.heatmap import encode
from diffpose_ros.video2d.layers import deconv_bn
from diffpose_ros.video2d.network import PoseNetwork
import torch
from torch import nn, Tensor

OUTLIER = 1.2  # loss of a joint, in energies of its target, from which it may be mislabelled
WARM_UP = 0.35  # share of the run that teaches the backbone alone
ROBUST_FROM = 0.8  # share of the run after which outliers lose weight
EMPHASIS = 4.0  # extra weight of the joints' own pixels until then: an empty heatmap is a trap


def draw_steps(count: int, T: int, device: torch.device) -> Tensor:
    """Draw diffusion steps, the noisier the likelier: there the picture has to speak."""
    return (T * torch.rand(count, device=device).sqrt()).long().clamp(max=T - 1)


def pose_loss(predicted: Tensor, target: Tensor, weight: Tensor, progress: float) -> Tensor:
    """
    Return the mean squared error of the heatmaps, in energies of a joint's Gaussian.

    An empty heatmap costs a joint 1, a confident peak elsewhere 2. Once the network knows people,
    such a peak speaks rather for a wrong or mirrored label: beyond OUTLIER a joint's weight falls
    with the square of its loss. Until then, pixels of joints count more than the background.

    predicted, target  (B, J, rows, columns)
    weight             (B, J)
    """
    energy = (target**2).sum(dim=(2, 3)).clamp(min=1)
    emphasis = 1 + (EMPHASIS if progress < ROBUST_FROM else 0.0) * target
    loss = (emphasis * (predicted - target) ** 2).sum(dim=(2, 3)) / energy
    if progress > ROBUST_FROM:
        weight = weight * (OUTLIER / loss.detach().clamp(min=OUTLIER)) ** 2
    return (weight * loss).sum() / weight.sum().clamp(min=1)


def spread_out(network: PoseNetwork, frames: Tensor, present: Tensor) -> Tensor:
    """
    Return the features of the frames in their slots of the window.

    frames   (B, t, 3, h, w)  uint8; t is 1 (the key frame alone) or all slots
    present  (B, T)
    returns  (B, T, C, h/16, w/16)
    """
    shown = frames.flatten(0, 1) if frames.shape[1] == 1 else frames[present]
    shown = shown.float().contiguous(memory_format=torch.channels_last)
    found = network.features(shown)
    window = found.new_zeros(*present.shape, *found.shape[1:])
    window[present] = found
    return window


class PlainHead(nn.Module):
    """Heatmaps from backbone features by two deconvolutions, as in SimpleBaseline (2018)."""

    def __init__(self, channels: int, joints: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            deconv_bn(channels, 64), deconv_bn(64, 48), nn.Conv2d(48, joints, 1)
        )

    def forward(self, features: Tensor) -> Tensor:
        """Return heatmaps (B, J, 4h, 4w) of features (B, C, h, w)."""
        return self.layers(features)


class Trainer:
    """Network, optimiser and moving average, and what one step does."""

    def __init__(
        self, network: PoseNetwork, device: torch.device, learning_rate: float, bf16: bool
    ) -> None:
        self.device, self.bf16, self.learning_rate = device, bf16, learning_rate
        self.network = network.to(device, memory_format=torch.channels_last)
        joints = len(network.config.joints.joints)
        self.plain_head = PlainHead(network.backbone.channels, joints).to(device)
        self.learned = nn.ModuleList([self.network, self.plain_head])
        self.optimizer = torch.optim.AdamW(
            self.learned.parameters(), lr=learning_rate, weight_decay=0.02, fused=True
        )
        self.ema = Ema(self.network)

    def step(self, batch: dict[str, Tensor], budget: Budget) -> float:
        """Learn from one batch and return its loss."""
        for group in self.optimizer.param_groups:
            group['lr'] = self.learning_rate * budget.learning_rate_share()
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.bf16):
            loss = self._loss(batch, budget.progress)
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        average_gradients(self.learned)
        torch.nn.utils.clip_grad_norm_(self.learned.parameters(), 1.0)
        self.optimizer.step()
        self.ema.update(self.network)
        return float(loss.detach())

    def _loss(self, batch: dict[str, Tensor], progress: float) -> Tensor:
        network, config = self.network, self.network.config
        batch = {name: value.to(self.device) for name, value in batch.items()}
        present = batch['present']
        if present.shape[1] == 1:
            present = torch.zeros(len(present), config.slots, dtype=torch.bool)
            present[:, config.past] = True
            present = present.to(self.device)
        if progress < WARM_UP:
            return self._plain_loss(batch, progress)
        F = network.strl(spread_out(network, batch['frames'], present), present)
        eps = network.noise_like(F.float())
        target = encode(batch['xy'], *eps.shape[2:])
        t = draw_steps(len(F), config.diffusion_steps, self.device)
        x_t = network.schedule.add_noise(network.to_signal(target), t, eps)
        return pose_loss(network(x_t, F, t).float(), target, batch['weight'], progress)

    def _plain_loss(self, batch: dict[str, Tensor], progress: float) -> Tensor:
        key = batch['frames'][:, 0].float().contiguous(memory_format=torch.channels_last)
        predicted = self.plain_head(self.network.features(key)).float()
        target = encode(batch['xy'], *predicted.shape[2:])
        return pose_loss(predicted, target, batch['weight'], progress)
