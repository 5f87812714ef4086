"""Types of arguments that evaluations and benchmarks share: faults are told before any work."""

import argparse
from pathlib import Path
from tempfile import TemporaryFile

from diffpose_ros.core.files import check_name


def json_file(text: str) -> Path:
    """Return the path of a JSON file that can be written; its folder is made."""
    return _writable(Path(text), '.json')


def png_file(text: str) -> Path:
    """Return the path of a PNG file that can be written; its folder is made."""
    return _writable(Path(text), '.png')


def _writable(path: Path, suffix: str) -> Path:
    try:
        check_name(path, suffix)
        if path.with_suffix('.safetensors').exists():
            raise ValueError(f'{path} is the manifest of a checkpoint; name another output')
        path.parent.mkdir(parents=True, exist_ok=True)
        with TemporaryFile(dir=path.parent):  # permissions alone do not tell
            return path
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error
    except OSError as error:
        told = f'{path.parent} cannot be written to ({error.strerror}); name another folder'
        raise argparse.ArgumentTypeError(told) from error


def check_output(out: Path, *inputs: Path) -> None:
    """Raise ValueError when an output is one of the inputs, or lies in the folder of one."""
    around = {out.resolve(), out.resolve().parent}
    for path in inputs:
        if path.resolve() in around:
            raise ValueError(f'{out} would overwrite an input in {path}; name another output')
