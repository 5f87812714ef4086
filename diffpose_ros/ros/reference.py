"""docs/parameters.md, made from the code; `python -m diffpose_ros.ros.reference` writes it out."""

import sys
from typing import Any

from diffpose_ros.core.config import leaves, PipelineConfig
from diffpose_ros.ros.settings import NodeConfig

HEAD = """# Parameters

Made by `python -m diffpose_ros.ros.reference > docs/parameters.md`; the code is the source.

Values are checked at start-up and by `ros2 param set` alike. What is out of range is refused with
a reason, and nothing changes. *Live* parameters hold from the next image on; the others are
read-only. Each one is an argument of the launch file too, by the same name.

| parameter | default | range | live | meaning |
|---|---|---|---|---|
"""


def row(name: str, default: Any, meta: dict[str, Any]) -> str:
    """Return the line of one parameter."""
    shown = str(default).lower() if isinstance(default, bool) else str(default)
    value = f'`{shown}`' if shown else 'empty'
    live = 'yes' if meta['dynamic'] else ''
    return f'| `{name}` | {value} | {allowed(meta)} | {live} | {meta["description"]} |\n'


def allowed(meta: dict[str, Any]) -> str:
    """Return the values that a parameter may take."""
    if meta['choices']:
        return ', '.join(f'`{choice}`' for choice in meta['choices'])
    if meta['low'] is None:
        return ''
    if meta['high'] is None:
        return f'from {meta["low"]:,}'
    return f'{meta["low"]:,} to {meta["high"]:,}'


def table() -> str:
    """Return the page."""
    settings = [*leaves(PipelineConfig()), *leaves(NodeConfig())]
    return HEAD + ''.join(row(*setting) for setting in settings)


if __name__ == '__main__':
    sys.stdout.write(table())
