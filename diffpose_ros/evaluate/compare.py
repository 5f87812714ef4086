"""Two results of a benchmark side by side: `--compare FILE` of every `diffpose benchmark`."""

import argparse
from collections.abc import Iterator
import json
from pathlib import Path
import sys
from typing import Any

from diffpose_ros.core.files import write_json
from diffpose_ros.evaluate.arguments import json_file


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare where the result goes and what it is compared with."""
    parser.add_argument('--out', type=json_file, required=True, help='JSON file to write')
    parser.add_argument(
        '--compare', type=earlier, help='JSON of an earlier run: tell the ratios', metavar='FILE'
    )


def earlier(path: str) -> dict[str, Any]:
    """Read an earlier result before anything is measured; argparse tells what is wrong."""
    try:
        return read(Path(path))
    except (OSError, ValueError) as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def write_and_compare(result: dict[str, Any], args: argparse.Namespace) -> None:
    """Write a result and tell what became of the earlier one."""
    write_json(args.out, result)
    if args.compare is not None:
        sys.stdout.write(ratios(args.compare, result) + '\n')


def read(path: Path) -> dict[str, Any]:
    """Return an earlier result; ValueError when it is none."""
    try:
        result = json.loads(path.read_text())
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise ValueError(f'{path} is no result of a benchmark ({error})') from error
    if not isinstance(result, dict) or not any(numbers(result)):
        raise ValueError(f'{path} is no result of a benchmark: it tells no numbers by name')
    return result


def ratios(before: Any, now: Any) -> str:
    """Return a table of the numbers that both results have, and the new ones by the old ones."""
    old, new = dict(numbers(before)), dict(numbers(now))
    rows = [('', 'before', 'now', 'ratio')]
    for name in (name for name in new if name in old):
        ratio = f'{new[name] / old[name]:.2f}' if old[name] else '-'
        rows.append((name, f'{old[name]:.4g}', f'{new[name]:.4g}', ratio))
    width = max(len(name) for name, *_ in rows)
    return '\n'.join(f'  {name:<{width}} {a:>10} {b:>10} {r:>7}' for name, a, b, r in rows)


def numbers(document: Any, name: str = '') -> Iterator[tuple[str, float]]:
    """Yield each number of a JSON document with the path to it."""
    if isinstance(document, dict):
        parts = list(document.items())
    elif isinstance(document, list):
        parts = list(enumerate(document))
    elif isinstance(document, int | float) and not isinstance(document, bool):
        yield name, float(document)
        return
    else:
        return
    for key, part in parts:
        yield from numbers(part, f'{name}.{key}' if name else str(key))
