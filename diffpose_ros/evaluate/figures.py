"""How an evaluation ends: figures as a JSON file and as lines for a terminal."""

from collections.abc import Mapping, Sequence
from pathlib import Path
import sys
from typing import Any

from diffpose_ros.core.files import write_json
from diffpose_ros.evaluate.compare import numbers


def write_figures(out: Path, figures: Mapping[str, Any]) -> None:
    """Write the figures and tell each number."""
    write_json(out, figures)
    sys.stdout.write(listing(figures))


def listing(figures: Mapping[str, Any]) -> str:
    """Return a line for each number."""
    rows = list(numbers(figures))
    width = max(len(name) for name, _ in rows)
    return ''.join(f'  {name:<{width}} {value:>10.4g}\n' for name, value in rows)


def columns(rows: Sequence[Mapping[str, Any]], names: Sequence[str]) -> str:
    """Return a line for each row, with the columns of these names."""
    lines = [names, *([f'{row[name]:.4g}' for name in names] for row in rows)]
    return ''.join(
        '  '.join(f'{cell:>{len(name)}}' for name, cell in zip(names, line, strict=True)) + '\n'
        for line in lines
    )
