"""Make shards of synthetic training data: `python -m diffpose_ros.train.synthetic --help`."""

import argparse
import logging
from pathlib import Path

from diffpose_ros.train.synthetic import backgrounds, dataset, scenery
from diffpose_ros.train.synthetic.body_maker import BodyMaker
from diffpose_ros.train.synthetic.dataset import write_shard
from diffpose_ros.train.synthetic.motion import load_motions
from diffpose_ros.train.synthetic.pictures import render_picture
from diffpose_ros.train.synthetic.render import Renderer
from diffpose_ros.train.synthetic.scenes import Material, smooth_motions, Studio
from diffpose_ros.train.synthetic.windows import render_window
import numpy as np


def main() -> None:
    """Write shards, numbered by their seed, so that runs with other seeds add to them."""
    raw = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=dataset.__doc__, formatter_class=raw)
    parser.add_argument('--mocap', type=Path, nargs='+', required=True, help='clips, .npz')
    parser.add_argument('--photographs', type=Path, help='labelled whole pictures, .tar')
    parser.add_argument('--out', type=Path, required=True)
    parser.add_argument('--windows', type=int, default=500, help='windows in each shard')
    parser.add_argument('--pictures', type=int, default=500, help='pictures in each shard')
    parser.add_argument('--seeds', type=int, nargs='+', default=[0], help='one shard for each')
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format='%(message)s')
    options.out.mkdir(parents=True, exist_ok=True)
    motions = smooth_motions(load_motions(*options.mocap))
    carried = backgrounds.carried_photographs()
    textures = backgrounds.carried_textures()
    sides, skies = [], []
    if options.photographs:
        sides = backgrounds.empty_sides(options.photographs, 400)
        skies = backgrounds.empty_sides(options.photographs, 200, only_above=True)
    maker = BodyMaker()
    renderer = Renderer(scenery.smooth_noise(256, np.random.default_rng(0)))
    for seed in options.seeds:
        for name, count, photographs, render in (
            ('windows', options.windows, sides, render_window),
            ('pictures', options.pictures, skies, render_picture),
        ):
            material = Material(motions, carried + photographs, textures)
            studio = Studio(renderer, maker, material, np.random.default_rng(seed))
            if count:
                write_shard(options.out / f'{name}_{seed:02d}', count, studio, render)


if __name__ == '__main__':
    main()
