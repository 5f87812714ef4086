"""Where the training samples of the 2D estimator come from, and what validates it."""

import argparse
from pathlib import Path

from diffpose_ros.train.posetrack import as_people, read_targets, split
from diffpose_ros.train.stills import Mixture, People, read_all, read_split


def add_source_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options that name data."""
    parser.add_argument('--data', type=Path, help='folder with lsp_extended_*')
    parser.add_argument('--labels', type=Path, help='of --data, completed by a teacher (.npz)')
    parser.add_argument(
        '--labelled',
        type=Path,
        nargs=2,
        metavar=('LABELS', 'ROOT'),
        help='PoseTrack 2017, 2018, 21, COCO or JHMDB: label file or folder, and the folder '
        'from which its file names start; a ninth of the scenes validates',
    )
    parser.add_argument('--synthetic', type=Path, help='folder with windows_*.tar and .npz')
    parser.add_argument('--synthetic-share', type=float, default=0.3, help='of the samples')


def read_sources(args: argparse.Namespace, past: int) -> tuple[Mixture, People]:
    """
    Return what to train on, sources mixed by their size, and whom to validate with.

    past    earlier frames in a window
    raises  ValueError when no labelled people are named
    """
    sources: list[People] = []
    validation: list[People] = []
    if args.data:
        training, held_out = read_split(args.data, 'lsp_extended_train', args.labels)
        sources.append(training)
        validation.append(held_out)
    if args.labelled:
        chosen, kept = split(read_targets(*args.labelled))
        sources.append(as_people(chosen, past))
        validation.append(as_people(kept, past))
    if not sources:
        raise ValueError('nothing to train on; name --data or --labelled')
    sizes = [len(people) / sum(map(len, sources)) for people in sources]
    if args.synthetic:
        sources.append(read_all(args.synthetic, 'windows_*.npz'))
        real = 1 - args.synthetic_share
        sizes = [*(real * size for size in sizes), args.synthetic_share]
    return Mixture(tuple(sources), tuple(sizes)), validation[0]
