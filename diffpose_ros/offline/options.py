"""Options that all commands over files share."""

import argparse
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from diffpose_ros.core.config import build, KINDS, leaves, PipelineConfig
from diffpose_ros.core.files import check_name
from diffpose_ros.offline.jobs import Settings


def add_settings(parser: argparse.ArgumentParser) -> None:
    """Declare what the pipeline needs to know."""
    config = PipelineConfig()
    parser.add_argument('--device', default=config.device, help='auto, cpu, cuda or cuda:N')
    parser.add_argument(
        '--seed', type=int, default=config.inference.seed, help='of all noise; default 0'
    )
    about = 'height of the people, metres, where it is known: fixes their size and distance'
    parser.add_argument('--person-height', type=float, default=config.person_height_m, help=about)
    parser.add_argument(
        '--set',
        action='append',
        default=[],
        metavar='NAME=VALUE',
        help='a parameter of the node that concerns the estimate, inference.ensembles=4 for '
        'example; may be given several times',
    )


def settings(args: argparse.Namespace) -> Settings:
    """Return the settings; ValueError when one is out of range."""
    config = PipelineConfig(device=args.device, person_height_m=args.person_height)
    config = replace(config, inference=replace(config.inference, seed=args.seed))
    values = {name: value for name, value, _ in leaves(config)}
    for text in args.set:
        name, value = setting(text, values)
        values[name] = value
    config = build(PipelineConfig, values)
    if config.detector.source == 'topic':
        raise ValueError('detector.source = topic is for the node; set another one')
    if config.inference.budget_ms:
        raise ValueError('inference.budget_ms is for the node; set steps or ensembles themselves')
    return Settings(config)


def setting(text: str, values: Mapping[str, Any]) -> tuple[str, Any]:
    """Return name and value of NAME=VALUE, of the type that values have by that name."""
    name, sign, value = text.partition('=')
    if not sign or name not in values:
        raise ValueError(f'--set {text}; give NAME=VALUE with a name of {sorted(values)}')
    kind = type(values[name])
    try:
        return name, kind(value)
    except ValueError as error:
        raise ValueError(f'--set {text}; give {KINDS[kind]}') from error


def output(path: Path, suffix: str, source: Path) -> Path:
    """Return the absolute path of an output; ValueError when it cannot be one."""
    check_name(path, suffix)
    if path.resolve() == source.resolve():
        raise ValueError(f'{path} is the input; name another output')
    return path.resolve()


def file_state(path: Path) -> dict[str, Any]:
    """Return what changes when a file is exchanged, without reading it."""
    stat = path.stat()
    return {'path': str(path), 'bytes': stat.st_size, 'modified_ns': stat.st_mtime_ns}
