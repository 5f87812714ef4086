"""List the licences of what the library imports, as the installed packages state them."""

from importlib import metadata
from pathlib import Path
import re

ROOT = Path(__file__).parent.parent
LIST = ROOT / 'docs' / 'licences.md'
HEAD = """# Licences of the dependencies

As the installed packages state them; written by `.venv/bin/python tools/licences.py`. The ROS
packages come from ROS 2 Jazzy (Apache-2.0 and BSD); their wheels state no licence.

| package | version | licence |
|---|---|---|
"""


def requirements() -> list[str]:
    """Return the names in requirements/runtime.txt."""
    lines = (ROOT / 'requirements' / 'runtime.txt').read_text().splitlines()
    names = (re.split(r'[#<>=;\[ ]', line.strip())[0] for line in lines)
    return [name for name in names if name]


def licence(name: str) -> str:
    """Return the SPDX expression, or the classifier, of an installed package."""
    about = metadata.metadata(name)
    kinds = [kind for kind in about.get_all('Classifier') or [] if kind.startswith('License')]
    stated = about.get('License-Expression') or ', '.join(k.split(' :: ')[-1] for k in kinds)
    return stated or (about.get('License') or 'not stated').splitlines()[0]


def main() -> None:
    """Write the list."""
    rows = [
        f'| {name} | {metadata.version(name)} | {licence(name)} |\n' for name in requirements()
    ]
    LIST.write_text(HEAD + ''.join(rows))


if __name__ == '__main__':
    main()
