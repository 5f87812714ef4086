"""
The lifter's networks: context encoder, pose-specific start, graph denoiser (Gong et al. 2023).

The diffused state is (u, v, x, y, z) per joint. Its start H_K is a mixture around the context
encoder's pose: (u, v) with the covariance of the 2D estimate, (x, y, z) with the spread the
encoder predicts, in the shape of the mixture fitted to the encoder's errors on training data.
All offsets below are from that centre, so the forward process is an ordinary one on offsets.

B windows, N hypotheses, J joints, C channels
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from diffpose_ros.core.skeleton import H36M_17, HIP
from diffpose_ros.diffusion.mixture import GaussianMixture
from diffpose_ros.diffusion.schedule import DiffusionSchedule, sample
from diffpose_ros.lift3d.context import Context, ContextEncoder, STATE
from diffpose_ros.lift3d.folded import FoldedNetwork
from diffpose_ros.lift3d.graph import GraphNetwork
from diffpose_ros.lift3d.observation import Observation
import torch
from torch import nn, Tensor
from torch.nn import functional

JOINTS = len(H36M_17.joints)
BODY = slice(HIP + 1, JOINTS)  # joints that move against the hip, which is the first
UNSEEN = 0.3  # deviation of u, v of a joint that was not seen, in sizes


@dataclass(frozen=True)
class LiftModelConfig:
    """
    Sizes of the networks and of the diffusion.

    components = 1 and context_told = False are the ablations that need a training of their own:
    a Gaussian start, and a denoiser that is not given f_ST.
    """

    past: int = 13
    future: int = 13
    period_s: float = 1 / 30
    context_channels: int = 64
    token_channels: int = 192
    temporal_layers: int = 4
    frame_layers: int = 2
    denoiser_channels: int = 64
    denoiser_layers: int = 3
    heads: int = 4
    K: int = 50
    components: int = 5
    context_told: bool = True


@dataclass(frozen=True)
class Start:
    """
    The pose-specific distribution a pose is drawn from, as factors.

    center     (B, J, 5)     u, v in sizes; x, y, z in metres
    uv_factor  (B, J, 2, 2)  Cholesky factor of the covariance of u, v
    spread     (B, J, 3)     deviations of x, y, z
    """

    center: Tensor
    uv_factor: Tensor
    spread: Tensor

    def first(self, n: int) -> 'Start':
        """Return the same for the first n windows."""
        return Start(self.center[:n], self.uv_factor[:n], self.spread[:n])


class LiftModel(nn.Module):
    """Everything of the lifter that has weights."""

    pi: Tensor
    mu: Tensor
    L: Tensor

    def __init__(self, config: LiftModelConfig) -> None:
        super().__init__()
        self.config = config
        c, D = config, 3 * (JOINTS - 1)
        self.schedule = DiffusionSchedule.cosine(c.K)
        self._folded: FoldedNetwork | None = None
        self.context = ContextEncoder(
            c.past,
            c.future,
            c.context_channels,
            c.token_channels,
            c.temporal_layers,
            c.frame_layers,
            c.heads,
        )
        given = STATE + STATE + 5 + c.context_channels * c.context_told
        self.denoiser = GraphNetwork(
            H36M_17.edges, given, STATE, c.denoiser_channels, c.denoiser_layers, c.heads, True
        )
        nn.init.zeros_(self.denoiser.gconv_output.weight)
        self.register_buffer('pi', torch.full((c.components,), 1 / c.components))
        self.register_buffer('mu', torch.zeros(c.components, D))
        self.register_buffer('L', torch.eye(D).repeat(c.components, 1, 1))

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> 'LiftModel':
        """Build the model of a manifest."""
        return cls(LiftModelConfig(**config))

    @property
    def mixture(self) -> GaussianMixture:
        """Errors of the context encoder in units of its spread, all joints but the hip."""
        return GaussianMixture(self.pi, self.mu, self.L)

    @mixture.setter
    def mixture(self, mixture: GaussianMixture) -> None:
        self.pi, self.mu, self.L = mixture.pi, mixture.mu, mixture.L

    def start(self, observation: Observation, context: Context) -> Start:
        """Return where the reverse diffusion begins, and the forward diffusion ends."""
        seen = observation.seen[..., None]
        uv = torch.where(seen, observation.uv, context.state[..., :2])
        wide = UNSEEN * torch.eye(2, device=uv.device)
        factor = torch.where(seen[..., None], observation.factor, wide)
        return Start(torch.cat([uv, context.state[..., 2:]], dim=-1), factor, context.spread)

    def offsets(self, start: Start, component: Tensor, z: Tensor) -> tuple[Tensor, Tensor]:
        """
        Turn unit noise into mean and deviation of the start, as offsets from its center.

        component  (R,)       components of the mixture; R = B times draws, B slowest
        z          (R, J, 5)  unit noise
        returns    (R, J, 5), (R, J, 5)
        """
        draws = len(z) // len(start.center)
        factor = start.uv_factor.repeat_interleave(draws, dim=0)
        spread = start.spread.repeat_interleave(draws, dim=0)[:, BODY]
        mean, deviation = self.mixture.sample(component, z[:, BODY, 2:].flatten(1))
        mu_G, eps_G = torch.zeros_like(z), torch.zeros_like(z)
        mu_G[:, BODY, 2:] = mean.view_as(spread) * spread
        eps_G[:, BODY, 2:] = deviation.view_as(spread) * spread
        eps_G[..., :2] = (factor @ z[..., :2, None])[..., 0]
        return mu_G, eps_G

    def given(self, start: Start, context: Context) -> Tensor:
        """Return what the denoiser is told besides the noisy state, (B, J, 10 + C or 10)."""
        uv_deviation = start.uv_factor.square().sum(dim=-1).log() / 2 + 3
        spread = start.spread.log() + 3
        f_ST = context.features if self.config.context_told else context.features[..., :0]
        return torch.cat([start.center, uv_deviation, spread, f_ST], dim=-1)

    def denoise(self, offset: Tensor, given: Tensor, t: Tensor) -> Tensor:
        """
        Return the offset of the clean state.

        offset  (R, J, 5)       noisy state minus center
        given   (R, J, 10 + C)
        t       (R,) or (1,)    steps
        """
        out = self.denoiser(torch.cat([4 * offset, given], dim=-1), t) / 4
        return hip_at_origin(out)

    @torch.no_grad()
    def hypotheses(
        self, observation: Observation, component: Tensor, z: Tensor, steps: int
    ) -> tuple[Tensor, Context]:
        """
        Draw poses.

        component  (N,)       components of the mixture, the same for every window
        z          (N, J, 5)  unit noise, the same for every window
        steps      0 = the center of the start, that is the context encoder's pose
        returns    (B, N, J, 5), and the context they were drawn from
        """
        context = self.context(observation)
        start = self.start(observation, context)
        B, N = len(start.center), len(z)
        if steps == 0:
            return start.center[:, None].repeat(1, N, 1, 1), context
        mu_G, eps_G = self.offsets(start, component.repeat(B), z.repeat(B, 1, 1))
        predict = self._predictor(self.given(start, context), N)

        def denoise(y: Tensor, t: int) -> Tensor:
            return predict(mu_G + y, t) - mu_G

        # Without the shift by mu_G the process is an ordinary one; alpha_K is not exactly 0.
        y = sample(denoise, eps_G, self.schedule, self.schedule.steps(steps))
        offset = (mu_G + y).view(B, N, *z.shape[1:])
        return start.center[:, None] + offset, context

    def image_covariance(self, observation: Observation, context: Context) -> Tensor:
        """Return the error of the 2D estimate of joint and hip together, (B, J, 2, 2), m^2."""
        factor = self.start(observation, context).uv_factor
        return in_metres(factor @ factor.transpose(-1, -2), context.state)

    def _predictor(self, given: Tensor, N: int) -> Callable[[Tensor, int], Tensor]:
        """Return the function that denoises N offsets per window; folded on first use."""
        if self.training or given.requires_grad:
            raise RuntimeError('poses are drawn in eval mode; call model.eval()')
        if self._folded is None:
            self._folded = FoldedNetwork(self.denoiser)
        folded = self._folded
        known = folded.given(given).repeat_interleave(N, dim=1)
        return lambda offset, t: hip_at_origin(folded(4 * offset, t, known) / 4)

    def train(self, mode: bool = True) -> 'LiftModel':
        """Forget what was folded, since the weights may change."""
        self._folded = None
        return super().train(mode)


def in_metres(covariance: Tensor, state: Tensor) -> Tensor:
    """
    Return the 2D error of joint and hip together, (B, J, 2, 2), metres squared.

    covariance  (B, J, 2, 2)  of u, v
    state       (B, J, 5)     u, v; x, y, z in metres: the sizes of both give the scale
    """
    spread = state - state.mean(dim=1, keepdim=True)
    units, metres = (spread[..., a:b].square().sum(dim=(1, 2)) for a, b in ((0, 2), (2, 4)))
    scale = (metres / units.clamp(min=1e-6))[:, None, None, None]  # metres per unit, squared
    return scale * (covariance + covariance[:, HIP, None])


def hip_at_origin(offset: Tensor) -> Tensor:
    """Return offsets (..., J, 5) whose x, y, z at the hip are 0."""
    return offset - functional.pad(offset[..., HIP, None, 2:], (2, 0))
