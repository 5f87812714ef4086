"""
How long the main path takes for an image, without ROS, on a device.

    python -m benchmarks.main_path --video demo/crossing.mp4 --device cuda

The first images are left out: networks are warmed up and, on a GPU, recorded there.
"""

import argparse
from contextlib import contextmanager
from itertools import islice
import json
from pathlib import Path

from diffpose_ros.core.arguments import count
from diffpose_ros.core.config import InferenceConfig, PipelineConfig
from diffpose_ros.core.people import Frame
from diffpose_ros.core.pipeline import PosePipeline
from diffpose_ros.evaluate.cost import await_gpu
from diffpose_ros.offline.stage_times import clocked
from diffpose_ros.offline.video import VideoReader
import numpy as np

FIRST, IMAGES = 30, 90


def main() -> None:
    """Measure, and print percentiles and medians in ms."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--video', type=Path, required=True)
    parser.add_argument('--device', default='auto')
    parser.add_argument('--precision', default='auto')
    parser.add_argument('--steps', type=count, default=InferenceConfig.steps)
    parser.add_argument('--ensembles', type=count, default=InferenceConfig.ensembles)
    args = parser.parse_args()
    inference = InferenceConfig(steps=args.steps, ensembles=args.ensembles)
    config = PipelineConfig(device=args.device, precision=args.precision, inference=inference)
    pipeline = PosePipeline.from_config(config)
    pipeline.warm_up()
    spent = {'detect': [], 'pose2d': [], 'lift3d': []}

    @contextmanager
    def stage(name):
        with clocked(spent[name].append):
            yield
            await_gpu()

    for time_s, image in islice(VideoReader(args.video), IMAGES):
        pipeline.step(Frame(image, round(1e9 * time_s)), stage)
    stages = {name: np.array(ms[FIRST:]) for name, ms in spent.items()}
    p50, p95 = np.percentile(sum(stages.values()), [50, 95])
    medians = {name: round(float(np.median(ms)), 2) for name, ms in stages.items()}
    print(json.dumps({'p50_ms': round(p50, 2), 'p95_ms': round(p95, 2), 'median_ms': medians}))


if __name__ == '__main__':
    main()
