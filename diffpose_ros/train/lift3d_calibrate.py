"""
Calibration of a trained lifter on motions it was not trained on.

`python -m diffpose_ros.train.lift3d_calibrate --weights RUN/lift3d.safetensors --data DIR
--out models/lift3d_default.safetensors`
"""

import argparse
from collections.abc import Sequence
import logging
from pathlib import Path

from diffpose_ros.core.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from diffpose_ros.core.skeleton import H36M_17
from diffpose_ros.data.mocap import Clips
from diffpose_ros.data.motions import motion_clips
from diffpose_ros.lift3d.calibration import Calibration, FEWEST, fit_missing
from diffpose_ros.lift3d.model import LiftModel
from diffpose_ros.lift3d.observation import observe
from diffpose_ros.lift3d.start import start_noise
from diffpose_ros.train.windows import WindowSampler
import numpy as np
from numpy.typing import NDArray
import torch

log = logging.getLogger(__name__)

STEPS = 2  # the pipeline's default, as FEWEST hypotheses are
WINDOWS, BATCH, SEED = 4096, 256, 2


def calibrate(checkpoint: Checkpoint, data: Path) -> Calibration:
    """
    Fit the covariance to the errors on held-out motions, causal windows.

    Left and right share a factor, and every batch has other noise: what is fitted shall hold for
    any seed of the hypotheses, not for the luck of one.
    """
    model = LiftModel.from_config(checkpoint.config)
    model.load_state_dict(checkpoint.tensors)
    model.eval()
    clips = motion_clips(data, 'held_out')
    missing, alone = (
        evened(fit_missing(*held_out_poses(model, clips, steps, hypotheses)))
        for steps, hypotheses in ((STEPS, FEWEST), (1, 1))
    )
    return Calibration(missing, alone)


def evened(factors: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return factors (J,) that are the same for left and right: the geometric mean."""
    return np.sqrt(factors * factors[list(H36M_17.mirror)])


@torch.no_grad()
def held_out_poses(
    model: LiftModel, clips: Clips, steps: int, hypotheses: int
) -> list[NDArray[np.float64]]:
    """Return the arguments of fit_missing."""
    c = model.config
    sampler = WindowSampler(clips, c.past, c.future, torch.Generator().manual_seed(SEED))
    parts = []
    for seed in range(WINDOWS // BATCH):
        component, z = start_noise(model.mixture, hypotheses, seed)
        w = sampler.draw(BATCH, 'causal')
        observation = observe(w.rays, w.covariance, w.score, w.present, c.past)
        states, context = model.hypotheses(observation, component, z, steps)
        image = model.image_covariance(observation, context)
        parts.append((states[..., 2:], context.spread, image, w.truth[:, c.past]))
    return [torch.cat(values).double().numpy() for values in zip(*parts, strict=True)]


def main(argv: Sequence[str] | None = None) -> int:
    """Read weights, write them with their calibration."""
    logging.basicConfig(level=logging.INFO, format='%(message)s')
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--weights', type=Path, required=True)
    parser.add_argument('--data', type=Path, required=True, help='folder of one data set')
    parser.add_argument('--out', type=Path, required=True, help='checkpoint to write')
    args = parser.parse_args(argv)
    checkpoint = load_checkpoint(str(args.weights), 'lift3d')
    calibration = calibrate(checkpoint, args.data)
    log.info('%s', calibration.to_manifest())
    extras = checkpoint.extras | {'calibration': calibration.to_manifest()}
    save_checkpoint(args.out, 'lift3d', checkpoint.config, checkpoint.tensors, extras)
    return 0


if __name__ == '__main__':
    raise SystemExit(main())
