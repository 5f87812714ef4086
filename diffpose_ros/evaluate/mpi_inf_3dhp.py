"""
`diffpose evaluate mpi-inf-3dhp`: the lifter on the test set of MPI-INF-3DHP, files of P-STMO.

PCK and AUC are over the fourteen joints of the data set's own evaluation, MPJPE over all; the 2D
input is the labels'. Means are over all frames that count; per_sequence has those of the parts,
and mean_over_sequences their plain means, which is what tables such as D3DP's print.
"""

import argparse
from pathlib import Path
from typing import Any

from diffpose_ros.core.skeleton import H36M_17
from diffpose_ros.data.formats.mpi_inf_3dhp import read_3dhp
from diffpose_ros.evaluate.arguments import check_output
from diffpose_ros.evaluate.captures import report_captures
from diffpose_ros.evaluate.lifting import add_lifter_arguments, Lifted
from diffpose_ros.evaluate.mpjpe import auc, joint_errors, LIMBS, pck, summary
import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

COUNTED = H36M_17.index(*LIMBS, 'thorax', 'head_top')


def figures(estimate: Floats, truth: Floats) -> dict[str, float]:
    """Return MPJPE, P-MPJPE, PCK at 150 mm and AUC of poses (F, J, 3)."""
    errors = joint_errors(estimate, truth)[:, COUNTED]
    return {**summary(estimate, truth), 'pck_150': pck(errors), 'auc': auc(errors)}


def by_sequence(poses: Lifted) -> dict[str, Any]:
    """Return the figures of all frames, of every sequence, and the means of the latter."""
    sequences = {
        str(name): figures(poses.mean[poses.groups == name], poses.truth[poses.groups == name])
        for name in np.unique(poses.groups)
    }
    whole = figures(poses.mean, poses.truth)
    means = {key: float(np.mean([one[key] for one in sequences.values()])) for key in whole}
    return {**whole, 'mean_over_sequences': means, 'per_sequence': sequences}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `diffpose evaluate mpi-inf-3dhp`."""
    parser.add_argument('--data', type=Path, required=True, help='data_test_3dhp.npz')
    parser.add_argument('--cameras', type=Path, required=True, help='calibrations (JSON)')
    add_lifter_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Evaluate as the options say."""
    check_output(args.out, args.cameras)
    report_captures(args, read_3dhp(args.data, args.cameras), by_sequence, 0.0, {})
    return 0
