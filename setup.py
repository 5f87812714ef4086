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


PACKAGE = ElementTree.parse(ROOT / 'package.xml')

setup(
    name=PACKAGE.findtext('name'),
    version=PACKAGE.findtext('version'),
    description=' '.join(PACKAGE.findtext('description', '').split()),
    license='Apache-2.0',
    package_dir={
        '': '.'
    },  # so that `pip install -e` puts this folder on the path, and no import hook
    python_requires='>=3.10',
    packages=find_packages(include=['diffpose_ros', 'diffpose_ros.*']),
    install_requires=requirements('runtime'),
    extras_require={'dev': requirements('dev'), 'jazzy': requirements('jazzy')},
    entry_points={'console_scripts': ['diffpose = diffpose_ros.cli:main']},
)
