"""The noise that hypotheses start from: drawn once, the same for every person and frame."""

from diffpose_ros.core.skeleton import H36M_17
from diffpose_ros.diffusion.mixture import GaussianMixture
from diffpose_ros.lift3d.context import STATE
import torch
from torch import Tensor


def start_noise(mixture: GaussianMixture, N: int, seed: int) -> tuple[Tensor, Tensor]:
    """
    Return components (N,) and unit noise (N, J, 5) of N hypotheses.

    Components are spread evenly over the weights. The noise has mean 0 over the hypotheses and
    keeps its deviation, so the mean of few hypotheses is steady; a single one starts at its
    component's mean.
    """
    generator = torch.Generator().manual_seed(seed)
    order = mixture.pi.cpu().argsort(descending=True)
    level = (torch.arange(N) + 0.5) / N
    rank = torch.searchsorted(mixture.pi.cpu()[order].cumsum(dim=0), level)
    component = order[rank.clamp(max=len(order) - 1)]
    z = torch.randn(N, len(H36M_17.joints), STATE, generator=generator)
    z = z - z.mean(dim=0)
    device = mixture.pi.device
    return component.to(device), (z * (N / max(1, N - 1)) ** 0.5).to(device)
