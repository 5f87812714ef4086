"""Where the training samples of the 2D estimator come from, and what validates it."""

import argparse
from pathlib import Path

from diffpose_ros.data.labelled import People, read_all, read_split
from diffpose_ros.data.posetrack import as_people, read_targets, split
from diffpose_ros.train.stills import Mixture

FILMED = 0.5  # of the windows are rendered films: in those of photographs only the camera moves


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
    parser.add_argument(
        '--synthetic-share',
        type=float,
        default=0.3,
        help='of single frames; of windows at least half',
    )


def read_sources(args: argparse.Namespace, past: int) -> tuple[Mixture, People]:
    """
    Return what to train on, sources mixed by their size, and whom the first one validates with.

    past    earlier frames in a window
    raises  ValueError when nobody is there to train on or to validate with
    """
    pairs = []  # to train on, to validate with
    if args.data:
        pairs.append(read_split(args.data, 'lsp_extended_train', args.labels))
    if args.labelled:
        pairs.append([as_people(part, past) for part in split(read_targets(*args.labelled))])
    if not pairs:
        raise ValueError('nothing to train on; name --data or --labelled')
    sources, (validation, *_) = (list(people) for people in zip(*pairs, strict=True))
    if not len(validation):
        raise ValueError('nobody to validate with; name labels of more people or scenes')
    sizes = [len(people) / sum(map(len, sources)) for people in sources]
    if not args.synthetic:
        return Mixture(tuple(sources), tuple(sizes), tuple(sizes)), validation
    sources.append(read_all(args.synthetic, 'windows_*.npz'))
    shares, window_shares = (
        (*((1 - rendered) * size for size in sizes), rendered)
        for rendered in (args.synthetic_share, max(args.synthetic_share, FILMED))
    )
    return Mixture(tuple(sources), shares, window_shares), validation
