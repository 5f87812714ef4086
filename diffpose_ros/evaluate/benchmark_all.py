"""
`diffpose benchmark all`: the node in its graph, then its parts, in one JSON.

Each is measured by its own command with its own defaults, in a process of its own.
"""

import argparse
from pathlib import Path
import subprocess
import sys
from tempfile import TemporaryDirectory
from typing import Any

from diffpose_ros.evaluate import compare

PARTS = ('graph', 'pose2d', 'lift3d', 'node')


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `diffpose benchmark all`."""
    compare.add_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Measure all parts; write nothing when one of them fails."""
    with TemporaryDirectory() as folder:
        result = {part: measure(part, Path(folder) / f'{part}.json') for part in PARTS}
    compare.write_and_compare(result, args)
    return 0


def measure(part: str, out: Path) -> dict[str, Any]:
    """Return what `diffpose benchmark PART` writes; raise ValueError when it fails."""
    words = ['benchmark', part, '--out', str(out)]
    done = subprocess.run([sys.executable, '-m', 'diffpose_ros.cli', *words], check=False)
    if done.returncode:
        raise ValueError(f'diffpose {" ".join(words[:2])} ended with {done.returncode}, see above')
    return compare.read(out)
