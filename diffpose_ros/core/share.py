"""Where the files beside the code lie: in a checkout, or in an installation's share folder."""

import os
from pathlib import Path
import sys

PACKAGE = 'diffpose_ros'
DEMO_CLIP = 'demo/walk.mp4'  # 640x480, one person


def share_folders() -> list[Path]:
    """Return the folders that may hold config, models, msg and demo; the checkout first."""
    prefixes = [*os.environ.get('AMENT_PREFIX_PATH', '').split(os.pathsep), sys.prefix]
    shares = [Path(prefix) / 'share' / PACKAGE for prefix in prefixes if prefix]
    return [Path(__file__).parents[2], *shares]


def find_shared(relative: str) -> Path:
    """Return the path of a file or folder that comes with the package."""
    found = [folder / relative for folder in share_folders()]
    for path in found:
        if path.exists():
            return path
    raise FileNotFoundError(
        f'{relative} is missing from the installation, looked at {[str(path) for path in found]}; '
        'install again'
    )
