"""
How much the pipeline loses when the camera or its driver spoils the images of a labelled clip.

    python -m benchmarks.spoiled --video demo/walk.mp4 --labels demo/walk.npz --out FILE.json
"""

import argparse
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import cv2
from diffpose_ros.core.config import PipelineConfig
from diffpose_ros.core.pipeline import PosePipeline
from diffpose_ros.evaluate.arguments import json_file
from diffpose_ros.evaluate.clip import measure
from diffpose_ros.evaluate.clip_labels import labelled_frames, read_labels
from diffpose_ros.evaluate.figures import write_figures
from diffpose_ros.train.augment import grey
import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

Picture = NDArray[np.uint8]
FIGURES = ('pck', 'detection_rate', 'id_switches', 'mpjpe_mm')
OUT_OF_FOCUS = 1 / 160  # standard deviation of the blur, share of the height
JPEG_QUALITY = 10
NOISE = 25.0  # grey levels, standard deviation


def as_is(image: Picture) -> Picture:
    """Return the image."""
    return image


def dim(image: Picture) -> Picture:
    """Return the image with a quarter of the grey levels."""
    return cv2.convertScaleAbs(image, alpha=0.25)


def hazy(image: Picture) -> Picture:
    """Return the image with two fifths of its contrast, and bright."""
    return cv2.convertScaleAbs(image, alpha=0.4, beta=120)


def overexposed(image: Picture) -> Picture:
    """Return the image so bright that much of it is white."""
    return cv2.convertScaleAbs(image, alpha=1.8, beta=30)


def out_of_focus(image: Picture) -> Picture:
    """Return the image blurred."""
    return cv2.GaussianBlur(image, (0, 0), OUT_OF_FOCUS * len(image))


def squeezed(image: Picture) -> Picture:
    """Return what is left by a JPEG of low quality."""
    _, data = cv2.imencode('.jpg', image, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
    return cv2.imdecode(data, cv2.IMREAD_COLOR)


def noisy(image: Picture) -> Picture:
    """Return the image with the noise of a sensor in the dark."""
    noise = NOISE * np.random.default_rng(0).standard_normal(image.shape, np.float32)
    return cv2.add(image, noise, dtype=cv2.CV_8U)


def blue_for_red(image: Picture) -> Picture:
    """Return the image of a driver that takes BGR for RGB."""
    return np.ascontiguousarray(image[..., ::-1])


WAYS: dict[str, Callable[[Picture], Picture]] = {
    way.__name__: way
    for way in (
        as_is,
        grey,
        dim,
        hazy,
        overexposed,
        out_of_focus,
        squeezed,
        noisy,
        blue_for_red,
    )
}


def main() -> None:
    """Follow the people of the clip once for every way of spoiling it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--video', type=Path, required=True)
    parser.add_argument('--labels', type=Path, required=True)
    parser.add_argument('--pose2d-model', default='', help='2D checkpoint, packaged by default')
    parser.add_argument('--out', type=json_file, required=True)
    args = parser.parse_args()
    labels, found = read_labels(args.labels), {}
    for name, spoil in tqdm(WAYS.items()):
        pipeline = PosePipeline.from_config(PipelineConfig(pose2d_model=args.pose2d_model))
        frames = labelled_frames(args.video, labels)
        results = [pipeline.step(replace(f, image=spoil(f.image))) for f in frames]
        told = measure(results, labels)
        found[name] = {figure: told[figure] for figure in FIGURES if figure in told}
    write_figures(args.out, found)


if __name__ == '__main__':
    main()
