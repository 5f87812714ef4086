"""
The published DiffPose networks (Gong et al. 2023) and how their code runs them.

They take (u, v) of the whole picture, width = 2, and give poses relative to the hip in the
camera's axes. The denoiser predicts noise over (u, v, x, y, z); the reverse steps start from the
lifter's pose itself, without noise, so all hypotheses are the same pose and only one is computed.
How such a pair stands in for our own lifter: released_lifter.py.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zipfile import is_zipfile, ZipFile

from diffpose_ros.core.skeleton import H36M_17
from diffpose_ros.diffusion.schedule import DiffusionSchedule, sample
from diffpose_ros.lift3d.folded import FoldedNetwork
from diffpose_ros.lift3d.graph import GraphNetwork
from diffpose_ros.lift3d.mixste import MixSTE
import torch
from torch import Tensor

SCHEDULE = DiffusionSchedule.linear(51, 1e-4, 1e-3)
STATE = 5  # u, v, x, y, z
DEAD = 'temb.'  # weights that the published lifter carries without using them
MIXSTE_KEY = 'model_pos'
POSE_KINDS = ('gcnpose', 'mixste')  # lifters of single frames and of video
# Training files of MixSTE carry NumPy's random state along; these are its parts.
RANDOM_STATE = (
    'numpy.random._pickle.__randomstate_ctor',
    'numpy.random._pickle.__bit_generator_ctor',
    'numpy.random._mt19937.MT19937',
    'numpy.core.multiarray._reconstruct',
    'numpy._core.multiarray._reconstruct',
    'numpy.ndarray',
    'numpy.dtype',
)


@dataclass(frozen=True)
class Preset:
    """
    How far the state is taken as noisy, and in how many steps it is cleaned.

    end    steps of the chain, T of the released code
    steps  reverse steps, K, with which the published numbers were made
    noisy  whether the start is perturbed, as in the paper and not in the released code
    """

    end: int
    steps: int
    noisy: bool = False


PRESETS = {
    'frame_cpn': Preset(24, 2),
    'frame_gt': Preset(12, 2),
    'video_cpn': Preset(6, 1),
    'video_gt': Preset(12, 2),
    'paper': Preset(50, 5, noisy=True),
}


def released_denoiser() -> GraphNetwork:
    """Return GCNdiff without weights."""
    return GraphNetwork(H36M_17.edges, STATE, STATE, stepped=True).eval()


def released_lifter() -> GraphNetwork:
    """Return GCNpose without weights."""
    return GraphNetwork(H36M_17.edges, 2, 3).eval()


@torch.no_grad()
def refine(
    denoiser: FoldedNetwork, state: Tensor, end: int, steps: int, noise: Tensor | None = None
) -> Tensor:
    """
    Run the reverse steps of the published sampler.

    state       (B, J, 5)     u, v, x, y, z
    end, steps  see Preset; no more steps than end are taken
    noise       (B, N, J, 5)  unit noise times its deviations; None: the state itself is cleaned
    returns     (B, N, J, 5)  one pose per noise, or a single one
    """
    pairs = SCHEDULE.strided_steps(min(steps, end), end)
    N = 1 if noise is None else noise.shape[1]
    x = state.repeat_interleave(N, dim=0)
    if noise is not None:
        # Noised to the step at which the cleaning begins; the released code would say `end`.
        first = torch.full((len(x),), pairs[0][0], device=x.device)
        x = SCHEDULE.add_noise(x, first, noise.flatten(0, 1))

    def denoise(x_t: Tensor, t: int) -> Tensor:
        return SCHEDULE.predict_x_0(x_t, denoiser(x_t, t), t)

    return sample(denoise, x, SCHEDULE, pairs).view(len(state), N, -1, STATE)


def read_released(path: Path) -> dict[str, Tensor]:
    """
    Return the weights of a published file, names as in GraphNetwork.

    raises  ValueError when the file is not one of the published kinds
    """
    skipped: list[Any] = [(_Skipped, name) for name in RANDOM_STATE]
    try:
        _refuse_compressed(path)
        with torch.serialization.safe_globals(skipped):
            content = torch.load(path, map_location='cpu', weights_only=True)
    except FileNotFoundError:
        raise FileNotFoundError(f'no file {path}; check the path') from None
    except Exception as error:
        raise ValueError(
            f'{path} cannot be read as weights alone ({type(error).__name__}); give a file '
            'published with DiffPose: gcn_xyz_*.pth, diffpose_*uvxyz_*.pth or mixste_*.bin'
        ) from error
    return clean_names(state_dict_of(content, path))


def _refuse_compressed(path: Path) -> None:
    """Raise ValueError where a file would unpack to more than it is; torch.save packs nothing."""
    if is_zipfile(path):
        with ZipFile(path) as file:
            unpacked = sum(member.file_size for member in file.infolist())
        if unpacked > path.stat().st_size:
            raise ValueError(f'{path} would unpack to {unpacked} bytes')


class _Skipped:
    """Takes the place of what is no weight and is not built."""

    def __init__(self, *arguments: Any) -> None:
        pass

    def __setstate__(self, state: Any) -> None:
        pass


def state_dict_of(content: Any, path: Path) -> Mapping[str, Tensor]:
    """Find the weights in the published containers: a list, or a dict with model_pos."""
    if isinstance(content, list | tuple) and content:
        content = content[0]
    if isinstance(content, Mapping) and MIXSTE_KEY in content:
        content = content[MIXSTE_KEY]
    is_state = isinstance(content, Mapping) and bool(content)
    if not is_state or not all(
        isinstance(name, str) and isinstance(value, Tensor) for name, value in content.items()
    ):
        raise ValueError(
            f'{path} holds a {type(content).__name__} without weights; give a file published '
            'with DiffPose'
        )
    return content


def clean_names(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Take off the prefix of nn.DataParallel; raise ValueError where values are no weights."""
    for name, value in state.items():
        claimed = value.numel() * value.element_size()
        if not value.is_floating_point() or claimed > value.untyped_storage().nbytes():
            raise ValueError(f'{name} is {value.dtype} of {claimed} bytes; these are no weights')
        if not value.isfinite().all():
            raise ValueError(f'{name} holds numbers that are not finite; get the file again')
    return {name.removeprefix('module.'): value.float().clone() for name, value in state.items()}


def network_of(tensors: Mapping[str, Tensor]) -> tuple[str, GraphNetwork | MixSTE]:
    """
    Build the network that published weights belong to.

    returns  gcndiff, gcnpose or mixste, and the network with its weights
    raises   ValueError when names or shapes are others
    """
    try:
        kind, network = _empty_network(tensors)
        used = {k: v for k, v in tensors.items() if kind == 'gcndiff' or not k.startswith(DEAD)}
        network.load_state_dict(used, assign=True)
    except (RuntimeError, TypeError) as error:
        raise ValueError(f'the weights do not fit the published network: {error}') from error
    return kind, network


def _empty_network(tensors: Mapping[str, Tensor]) -> tuple[str, GraphNetwork | MixSTE]:
    if {'Temporal_pos_embed', 'STEblocks.0.mlp.fc1.bias'} <= set(tensors):
        return 'mixste', MixSTE.sized_as(tensors)
    weight = tensors.get('gconv_input.weight')
    if weight is None:
        raise ValueError(
            f'these weights begin with {sorted(tensors)[:3]}, those of the graph networks hold '
            'gconv_input.weight; give gcn_xyz_*.pth, diffpose_*uvxyz_*.pth or mixste_*.bin'
        )
    if weight.shape[2:3] == (STATE,):
        return 'gcndiff', released_denoiser()
    return 'gcnpose', released_lifter()
