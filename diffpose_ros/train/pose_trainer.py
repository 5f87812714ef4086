"""
One step of training the 2D video estimator: noise, prediction, loss that bears wrong labels.

The paper starts from a backbone that already knows people. Here a plain heatmap head teaches
the backbone: alone in the first part of a run, WARM_UP, then beside the diffusion model. With it
the diffusion model is compared; checkpoints leave it out. A run that continues another one's
weights has a head that knows, so both learn from its first step; one from a checkpoint has a new
head, which learns alone at first, while the diffusion model goes on.

A sampler's second step does not see the truth in noise, as in Ho et al. 2020, but the network's
own first answer in noise. Most examples are made like that (exposure bias, Ning et al. 2023).
"""

from contextlib import AbstractContextManager, nullcontext
import math
from pathlib import Path

from diffpose_ros.core.checkpoint import Checkpoint, restore
from diffpose_ros.train.loop import average_gradients, Budget, Ema, part, RunFolder
from diffpose_ros.video2d.decoder import Scales
from diffpose_ros.video2d.heatmap import encode, project, SIGMA_SHARE
from diffpose_ros.video2d.layers import deconv_bn
from diffpose_ros.video2d.network import PoseNetwork
import torch
from torch import nn, Tensor
from torch.nn.attention import sdpa_kernel, SDPBackend

OUTLIER = 1.2  # loss of a joint, in energies of its target, from which it may be mislabelled
WARM_UP = 0.5  # share of the run that teaches the backbone alone
HEAD_ALONE = 0.1  # share of a run from a checkpoint in which its new plain head teaches nobody
ROBUST_FROM = 0.8  # share of the run after which outliers lose weight
FIRST_SHARE = 0.35  # of the examples are pure noise, the sampler's first step
TRUTH_SHARE = 0.3  # of the others hide the truth in noise; the rest the network's own first answer
ROUND = 32  # pictures or people that a GPU takes at once, or a multiple
EMPHASIS = 4.0  # extra weight of the joints' own pixels until then: an empty heatmap is a trap


def draw_steps(count: int, T: int, device: torch.device) -> Tensor:
    """Draw diffusion steps: T-1 for FIRST_SHARE, else the noisier the likelier."""
    t = (T * torch.rand(count, device=device).sqrt()).long().clamp(max=T - 1)
    first = torch.rand(count, device=device) < FIRST_SHARE
    return t.masked_fill(first, T - 1)


def pose_loss(predicted: Tensor, target: Tensor, weight: Tensor, progress: float) -> Tensor:
    """
    Return the mean squared error of the heatmaps, in energies of a joint's Gaussian.

    An empty heatmap costs a joint 1, a confident peak elsewhere 2, one of a joint that is not in
    the picture 1. Once the network knows people, such a peak speaks rather for a wrong or mirrored
    label: beyond OUTLIER a joint's weight falls with the square of its loss. Until then, pixels of
    joints count more than the background.

    predicted, target  (B, J, rows, columns)
    weight             (B, J)
    """
    sigma = SIGMA_SHARE * target.shape[2]
    energy = (target**2).sum(dim=(2, 3)).clamp(min=math.pi * sigma**2)
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
    pictures = rounded(shown).float().contiguous(memory_format=torch.channels_last)
    found = network.features(pictures)[: len(shown)]
    window = found.new_zeros(*present.shape, *found.shape[1:])
    window[present] = found
    return window


def rounded(rows: Tensor) -> Tensor:
    """
    Return rows (n, ...), on a GPU the first ones again until n is a multiple of ROUND.

    For every new number of rows a GPU looks anew for the best convolutions, which takes longer
    than these do.
    """
    return torch.cat([rows, rows[: -len(rows) % ROUND]]) if rows.is_cuda else rows


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


class Learner(nn.Module):
    """The network and the plain head on the same backbone: all that is learnt."""

    def __init__(self, network: PoseNetwork) -> None:
        super().__init__()
        self.network = network
        joints = len(network.config.joints.joints)
        self.plain_head = PlainHead(network.backbone.channels, joints)
        self.warm_up = WARM_UP
        self.head_alone = 0.0

    def continue_checkpoint(self, checkpoint: Checkpoint) -> None:
        """Take over the weights of a checkpoint of kind pose2d; ValueError if they do not fit."""
        restore(self.network, checkpoint)
        self.warm_up, self.head_alone = 0.0, HEAD_ALONE

    def continue_run(self, folder: Path) -> None:
        """
        Take over the averaged weights of a run, its plain head included.

        raises  FileNotFoundError or ValueError when the folder holds none that fit
        """
        tensors, _ = RunFolder(folder).read()
        try:
            self.load_state_dict(part(tensors, 'ema.'))
        except RuntimeError as error:
            raise ValueError(
                f'the run in {folder} trained another network; give it the same options'
            ) from error
        self.warm_up = 0.0

    def plain(self, pictures: Tensor) -> Tensor:
        """Return the plain head's heatmaps (B, J, rows, columns) of pictures (B, 3, h, w)."""
        return self.plain_head(self.network.features(pictures))

    def loss(self, batch: dict[str, Tensor], progress: float) -> Tensor:
        """Return the loss of a batch at some share of the run."""
        network, config = self.network, self.network.config
        weight, present = batch['weight'], batch['present']
        if present.shape[1] == 1:
            present = present.new_zeros(len(present), config.slots)
            present[:, config.past] = True
        window = spread_out(network, batch['frames'], present)
        key = window[:, config.past]
        predicted = self.plain_head(key.detach() if progress < self.head_alone else key).float()
        target = encode(batch['xy'], *predicted.shape[2:])
        loss = pose_loss(predicted, target, weight, progress)
        if progress < self.warm_up:
            return loss
        return loss + pose_loss(self.denoise(window, present, target), target, weight, progress)

    def denoise(self, window: Tensor, present: Tensor, target: Tensor) -> Tensor:
        """
        Return what the diffusion model makes of its target in noise, at steps drawn for training.

        window   (B, T, C, h/16, w/16)  backbone features
        present  (B, T)
        target   (B, J, rows, columns)
        returns  (B, J, rows, columns)
        """
        network = self.network
        scales = network.decoder.scales(network.strl(window, present))
        t = draw_steps(len(target), network.config.diffusion_steps, target.device)
        return network.decoder(self._noisy(target, scales, t), scales, t).float()

    def _noisy(self, target: Tensor, scales: Scales, t: Tensor) -> Tensor:
        """Return x_t of the truth, or of the network's own answer to the same noise."""
        network, eps, x_0 = self.network, torch.randn_like(target), target.clone()
        last = len(network.schedule) - 1
        # At the last step nothing is left of x_0, whatever it is.
        own = (torch.rand(len(t), device=t.device) > TRUTH_SHARE) & (t < last)
        rows = rounded(own.nonzero()[:, 0])
        if len(rows):
            with torch.no_grad():
                F_1, F_2, F_3 = (F_j[rows] for F_j in scales)
                first = network.decoder(eps[rows], (F_1, F_2, F_3), t[rows].fill_(last))
            x_0[rows] = project(first.float())
        return network.schedule.add_noise(network.to_signal(x_0), t, eps)


class Trainer:
    """Learner, optimiser and moving average, and what one step does."""

    def __init__(
        self, learner: Learner, device: torch.device, learning_rate: float, bf16: bool
    ) -> None:
        self.device, self.bf16, self.learning_rate = device, bf16, learning_rate
        self.learner = learner.to(device, memory_format=torch.channels_last)
        self.optimizer = torch.optim.AdamW(
            self.learner.parameters(), lr=learning_rate, weight_decay=0.02, fused=True
        )
        self.ema = Ema(self.learner)

    def step(self, batch: dict[str, Tensor], budget: Budget) -> float:
        """Learn from one batch and return its loss."""
        for group in self.optimizer.param_groups:
            group['lr'] = self.learning_rate * budget.learning_rate_share()
        batch = {name: value.to(self.device, non_blocking=True) for name, value in batch.items()}
        bf16 = torch.autocast(self.device.type, torch.bfloat16, enabled=self.bf16)
        with bf16, self._attention(batch):
            loss = self.learner.loss(batch, budget.progress)
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        average_gradients(self.learner)
        torch.nn.utils.clip_grad_norm_(self.learner.parameters(), 1.0)
        self.optimizer.step()
        self.ema.update(self.learner)
        return float(loss.detach())

    def _attention(self, batch: dict[str, Tensor]) -> AbstractContextManager[None]:
        """Choose its kernel: on a processor, plain products for the few tokens of one frame."""
        few = self.device.type == 'cpu' and batch['present'].shape[1] == 1
        return sdpa_kernel(SDPBackend.MATH) if few else nullcontext()
