"""
Many bags: a folder of recordings processed here or by the workers of a Ray cluster.

Bags, and the segments of each, are spread over the workers; every output is the same as that of
`diffpose bag`, byte for byte, but for the times of --timing. What is done stands in
OUT/manifest.jsonl: after an interruption, rerun the same command.
"""

import argparse
from collections.abc import Iterator
from pathlib import Path

from diffpose_ros.core.arguments import count
from diffpose_ros.core.pipeline import PosePipeline
from diffpose_ros.offline.jobs import Job, MakePipeline, Settings
from diffpose_ros.offline.manifest import Manifest
from diffpose_ros.offline.options import add_settings, settings
from diffpose_ros.offline.ray_pool import RayPool
from diffpose_ros.offline.schedule import Here, Pool
from diffpose_ros.offline.schedule import run as run_jobs
from diffpose_ros.ros.bag_job import add_topics, BagRecording
from tqdm import tqdm

SUFFIXES = ('.mcap', '.db3')


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `diffpose bags`."""
    parser.add_argument('bags', type=Path, help='folder that holds bags, at any depth')
    parser.add_argument('-o', '--out', type=Path, required=True, help='folder of the results')
    parser.add_argument(
        '--ray',
        nargs='?',
        const='local',
        metavar='ADDRESS',
        help='spread the work over a Ray cluster (auto, HOST:PORT); without address: this machine',
    )
    parser.add_argument(
        '--workers', type=count, help='with --ray; default: one per GPU, or as many as CPUs allow'
    )
    add_topics(parser)
    add_settings(parser)


def run(args: argparse.Namespace, make_pipeline: MakePipeline = PosePipeline.from_config) -> int:
    """Process all bags of a folder; return the exit code, ValueError names those that failed."""
    how, out = settings(args), args.out.resolve()
    if args.workers and args.ray is None:
        raise ValueError('--workers is for --ray; give both')
    if not args.bags.is_dir():
        raise ValueError(f'{args.bags} is no folder; give the one that holds the bags')
    if out == args.bags.resolve():
        raise ValueError(f'{args.out} holds the bags; give another folder for the results')
    bags = list(find_bags(args.bags.resolve(), out))
    if not bags:
        raise ValueError(f'{args.bags} holds no bag; give a folder with {" or ".join(SUFFIXES)}')
    out.mkdir(parents=True, exist_ok=True)
    manifest = Manifest(out / 'manifest.jsonl')
    jobs, failures = plan(bags, args, how)
    todo = [job for job in jobs if not manifest.holds(job)]
    with tqdm(total=sum(job.recording.images for job in todo), unit='image') as bar:
        for outcome in run_jobs(todo, pool(args, make_pipeline, how, bar), bar):
            if outcome.error:
                failures.append(f'{outcome.task.job.recording.out.name}: {outcome.error}')
            else:
                manifest.add(outcome.task.job)
    if failures:
        raise ValueError(f'{len(failures)} of {len(bags)} bags failed: {"; ".join(failures)}')
    return 0


def pool(args: argparse.Namespace, make_pipeline: MakePipeline, how: Settings, bar: tqdm) -> Pool:
    """Return who does the work."""
    if args.ray is None:
        return Here(make_pipeline, how, bar)
    return RayPool(make_pipeline, how, bar, args.ray, args.workers)


def plan(
    bags: list[tuple[Path, Path]], args: argparse.Namespace, how: Settings
) -> tuple[list[Job], list[str]]:
    """Return the jobs, and what is wrong with the bags that cannot be one."""
    jobs, failures = [], []
    for bag, out in bags:
        try:
            recording = BagRecording.open(
                bag, args.topic, args.camera_info, args.rectified, out, args.timing
            )
        except (ValueError, OSError) as error:
            failures.append(str(error))
            continue
        jobs.append(Job(recording, how))
    return jobs, failures


def find_bags(folder: Path, out: Path) -> Iterator[tuple[Path, Path]]:
    """Yield the bags below a folder and where their results go, the same path below out."""
    for path in sorted(folder.iterdir()):
        if path.name.startswith('.') or path == out:
            continue
        if (path / 'metadata.yaml').is_file():
            yield path, out / path.name / f'{path.name}.mcap'
        elif path.is_dir():
            yield from find_bags(path, out / path.name)
        elif path.suffix in SUFFIXES:
            yield path, out / f'{path.name.removesuffix(".mcap")}.mcap'
