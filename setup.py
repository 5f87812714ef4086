"""pip install of the library and the `diffpose` command, with or without ROS."""

from pathlib import Path
import re
from xml.etree import ElementTree

from setuptools import find_packages, setup

ROOT = Path(__file__).parent


def requirements(name: str) -> list[str]:
    """Read requirements/<name>.txt without its comments."""
    lines = (ROOT / 'requirements' / f'{name}.txt').read_text().splitlines()
    bare = (re.sub(r'#.*', '', line).strip() for line in lines)
    return [line for line in bare if line]


def data_files() -> list[tuple[str, list[str]]]:
    """List the files that a ROS package keeps in its share folder."""
    folders = [ROOT / name for name in ('config', 'demo', 'launch', 'models', 'msg')]
    return [
        (
            f'share/diffpose_ros/{folder.name}',
            [f'{folder.name}/{p.name}' for p in folder.glob('*') if p.is_file()],
        )
        for folder in folders
    ]


PACKAGE = ElementTree.parse(ROOT / 'package.xml')

setup(
    name=PACKAGE.findtext('name'),
    version=PACKAGE.findtext('version'),
    description=' '.join(PACKAGE.findtext('description', '').split()),
    license='Apache-2.0',
    # With this line `pip install -e` puts this folder on the path; without, an import
    # hook, which Python asks only after it has taken the installed messages for the whole package.
    package_dir={'': '.'},
    python_requires='>=3.10',
    packages=find_packages(include=['diffpose_ros', 'diffpose_ros.*']),
    package_data={'diffpose_ros.offline': ['report.html']},
    data_files=data_files(),
    install_requires=requirements('runtime'),
    extras_require={
        name: requirements(name)
        for name in ('dev', 'jazzy', 'ray', 'rerun', 'synthetic', 'transformers')
    },
    entry_points={'console_scripts': ['diffpose = diffpose_ros.cli:main']},
)
