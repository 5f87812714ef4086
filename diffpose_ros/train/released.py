"""
`diffpose import`: published DiffPose weights into checkpoints of ours.

A denoiser (diffpose_*uvxyz_*.pth) and the lifter it refines become one file; the lifter is
gcn_xyz_*.pth for single frames, mixste_*.bin for video.
"""

import argparse
import logging
from pathlib import Path

from diffpose_ros.core.checkpoint import save_checkpoint
from diffpose_ros.core.files import check_name
from diffpose_ros.lift3d.released import network_of, POSE_KINDS, PRESETS, read_released
from torch import Tensor

log = logging.getLogger(__name__)

KIND = 'lift3d_released'
LIFTERS_OF = {'frame': ('gcnpose',), 'video': ('mixste',)}  # by the beginning of the preset


def read_pair(lifter: Path, denoiser: Path, preset: str) -> dict[str, Tensor]:
    """Return the weights of both networks, names prefixed with the network and a slash."""
    tensors = {}
    lifters = LIFTERS_OF.get(preset.partition('_')[0], POSE_KINDS)
    for path, expected in ((lifter, lifters), (denoiser, ('gcndiff',))):
        kind, network = network_of(read_released(path))
        if kind not in expected:
            raise ValueError(
                f'{path} holds a {kind}, expected a {" or ".join(expected)}; exchange the files, '
                'or choose another preset'
            )
        for name, value in network.state_dict().items():
            tensors[f'{kind}/{name}'] = value
    return tensors


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `diffpose import`."""
    parser.add_argument('--lifter', type=Path, required=True, help='gcn_xyz_*.pth, mixste_*.bin')
    parser.add_argument('--denoiser', type=Path, required=True, help='diffpose_uvxyz_cpn.pth …')
    parser.add_argument('--preset', choices=sorted(PRESETS), required=True)
    parser.add_argument('--out', type=Path, required=True, help='.safetensors file to write')


def run(args: argparse.Namespace) -> int:
    """Import as the options say."""
    check_name(args.out, '.safetensors')
    tensors = read_pair(args.lifter, args.denoiser, args.preset)
    source = {'lifter': args.lifter.name, 'denoiser': args.denoiser.name}
    save_checkpoint(args.out, KIND, {'preset': args.preset}, tensors, {'source': source})
    steps = PRESETS[args.preset].steps
    log.info('wrote %s; published with %d steps: inference.lift_steps, --steps', args.out, steps)
    return 0
