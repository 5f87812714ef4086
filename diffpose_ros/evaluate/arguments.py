"""Types of arguments that evaluations and benchmarks share: faults are told before any work."""

import argparse
import os
from pathlib import Path

from diffpose_ros.core.files import check_name


def count(text: str) -> int:
    """Return a whole number from 1 on."""
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f'{text} is too few; give 1 or more')
    return value


def json_file(text: str) -> Path:
    """Return the path of a JSON file that can be written; its folder is made."""
    path = Path(text)
    try:
        check_name(path, '.json')
        path.parent.mkdir(parents=True, exist_ok=True)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error
    except OSError as error:
        raise argparse.ArgumentTypeError(f'{error}; name a file in another folder') from error
    if not os.access(path.parent, os.W_OK):
        raise argparse.ArgumentTypeError(f'{path.parent} is read-only; name another folder')
    return path


def check_output(out: Path, *inputs: Path) -> None:
    """Raise ValueError when an output is one of the inputs, or lies in the folder of one."""
    around = {out.resolve(), out.resolve().parent}
    for path in inputs:
        if path.resolve() in around:
            raise ValueError(f'{out} would overwrite an input in {path}; name another output')
