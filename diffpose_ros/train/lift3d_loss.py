"""
What the lifter is trained for.

B windows, J joints of H36M_17. Metres.
"""

from dataclasses import dataclass, replace

from diffpose_ros.core.skeleton import H36M_17
from diffpose_ros.diffusion.mixture import shift_forward
from diffpose_ros.lift3d.context import Context
from diffpose_ros.lift3d.model import BODY, LiftModel, Start
from diffpose_ros.lift3d.observation import FARTHEST, GROUP, in_groups, Observation, observe
from diffpose_ros.lift3d.start import start_noise
from diffpose_ros.train.windows import Windows
import torch
from torch import Tensor

# Every capture places these by a convention of its own: an error there says little.
CONVENTIONAL = ('spine', 'nose', 'head_top')
WEIGHT = torch.ones(len(H36M_17.joints))
WEIGHT[H36M_17.index(*CONVENTIONAL)] = 0.5
UV_WEIGHT = 0.05  # of u, v in sizes against x, y, z in metres
SPREAD_WEIGHT = 0.005
NOISY_END = 0.35  # below 1: late steps of the chain are drawn more often


@dataclass(frozen=True)
class Losses:
    """Parts of the loss, all in metres but the spread's."""

    encoder: Tensor
    window: Tensor
    spread: Tensor
    denoiser: Tensor

    @property
    def total(self) -> Tensor:
        """Return what is minimised."""
        return self.encoder + 0.5 * self.window + SPREAD_WEIGHT * self.spread + self.denoiser


def lift3d_losses(
    model: LiftModel, windows: Windows, denoised: int, random: torch.Generator
) -> Losses:
    """
    Return the losses of a batch.

    denoised  how many of the windows are denoised, at one diffusion step drawn for each; 0 = none
    """
    key = model.config.past
    observation = observe(windows.rays, windows.covariance, windows.score, windows.present, key)
    context = model.context(observation)
    truth = true_state(windows, observation, key)
    encoder = state_error(context.state, truth)
    losses = Losses(
        encoder,
        _window_error(context, windows),
        _spread_error(context, truth[..., 2:]),
        torch.zeros_like(encoder),
    )
    if not denoised:
        return losses
    start = model.start(observation, context.detached())
    given, start = model.given(start, context)[:denoised], start.first(denoised)
    error = _denoising_error(model, start, given, truth[:denoised], random)
    return replace(losses, denoiser=error)


def true_state(windows: Windows, observation: Observation, key: int) -> Tensor:
    """Return u, v, x, y, z of the key frame, (B, J, 5)."""
    uv = windows.true_rays[:, key] / observation.size[:, None, None]
    return torch.cat([uv.clamp(-FARTHEST, FARTHEST), windows.truth[:, key]], dim=-1)


def state_error(state: Tensor, truth: Tensor) -> Tensor:
    """Return the weighted mean distance over joints."""
    uv = distance(state[..., :2] - truth[..., :2])
    xyz = distance(state[..., 2:] - truth[..., 2:])
    weight = WEIGHT.to(uv) / WEIGHT.sum()
    return ((xyz + UV_WEIGHT * uv) * weight).sum(dim=-1).mean()


def distance(error: Tensor) -> Tensor:
    """Return lengths, smooth at 0."""
    return (error.square().sum(dim=-1) + 1e-6).sqrt()


def _window_error(context: Context, windows: Windows) -> Tensor:
    truth = windows.truth[:, GROUP // 2 :: GROUP][:, context.groups]
    error = (distance(context.poses - truth) * WEIGHT.to(truth) / WEIGHT.sum()).sum(dim=-1)
    filled = in_groups(windows.present)[:, context.groups]
    return (error * filled).sum() / filled.sum()


def _spread_error(context: Context, xyz: Tensor) -> Tensor:
    """Return the negative log likelihood of the encoder's error, its mean held fixed."""
    spread = context.spread[:, BODY]
    offset = (xyz - context.state[..., 2:].detach())[:, BODY] / spread
    return (offset.square() / 2 + spread.log()).mean()


def _denoising_error(
    model: LiftModel, start: Start, given: Tensor, truth: Tensor, random: torch.Generator
) -> Tensor:
    """Diffuse the truth (B, J, 5) towards the start, take it back in one step and compare."""
    B, device = len(truth), truth.device
    # Few reverse steps are taken, so the noisy end of the chain matters most.
    k = model.config.K * torch.rand(B, generator=random) ** NOISY_END
    k = k.long().clamp(max=model.config.K - 1).to(device)
    component = torch.multinomial(model.pi.cpu(), B, replacement=True, generator=random)
    z = torch.randn(truth.shape, generator=random)
    mu_G, eps_G = model.offsets(start, component.to(device), z.to(device))
    alpha = model.schedule.alpha_bar.to(device)[k].to(truth)[:, None, None]
    noisy = shift_forward(truth - start.center, mu_G, eps_G, alpha)
    return state_error(start.center + model.denoise(noisy, given, k), truth)


def encoder_errors(model: LiftModel, windows: Windows) -> Tensor:
    """Return the encoder's errors in units of its spread, (B, 3 * (J - 1)): for the mixture."""
    key = model.config.past
    observation = observe(windows.rays, windows.covariance, windows.score, windows.present, key)
    context = model.context(observation)
    error = windows.truth[:, key] - context.state[..., 2:]
    return (error / context.spread)[:, BODY].flatten(1)


@torch.no_grad()
def held_out_errors(model: LiftModel, windows: Windows) -> dict[str, float]:
    """Return MPJPE in mm of the encoder alone and of the whole model."""
    model.eval()  # forgets what was folded of earlier weights
    key = model.config.past
    truth = windows.truth[:, key]
    observation = observe(windows.rays, windows.covariance, windows.score, windows.present, key)
    errors = {}
    for steps, N in ((1, 1), (2, 5)):
        component, z = start_noise(model.mixture, N, seed=0)
        poses, context = model.hypotheses(observation, component, z, steps)
        errors['encoder_mm'] = (context.state[..., 2:] - truth).norm(dim=-1).mean()
        mean = poses[..., 2:].mean(dim=1)
        errors[f'full_K{steps}_N{N}_mm'] = (mean - truth).norm(dim=-1).mean()
    return {name: round(1000 * float(value), 2) for name, value in errors.items()}
