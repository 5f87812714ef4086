"""Which lifter a checkpoint is for."""

from diffpose_ros.core.checkpoint import Checkpoint
from diffpose_ros.lift3d.lifter import Lifter, PoseLifter
from diffpose_ros.lift3d.released_lifter import ReleasedLifter
import torch

LIFTERS: dict[str, type[Lifter] | type[ReleasedLifter]] = {
    'lift3d': Lifter,
    'lift3d_released': ReleasedLifter,
}


def lifter_of(checkpoint: Checkpoint, device: torch.device, seed: int = 0) -> PoseLifter:
    """Build the lifter of a checkpoint of any kind in LIFTERS."""
    return LIFTERS[checkpoint.kind].from_checkpoint(checkpoint, device, seed)
