"""Checkpoints: NAME.safetensors with NAME.json beside it (manifest: kind, config, sha256)."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
import hashlib
import json
from pathlib import Path
from typing import Any

from diffpose_ros.core.files import write_atomically, write_json
from diffpose_ros.core.share import find_shared
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import nn, Tensor

MANIFEST = {'kind': str, 'config': dict, 'sha256': str}


@dataclass(frozen=True)
class Checkpoint:
    """
    Weights and what belongs to them.

    kind      which class they are for: pose2d, lift3d, lift3d_released or detector
    config    constructor arguments of that class
    tensors   weights by name
    extras    anything else of the manifest: calibration, training summary
    """

    name: str
    kind: str
    config: dict[str, Any]
    tensors: dict[str, Tensor]
    sha256: str
    extras: dict[str, Any]

    @property
    def model_id(self) -> str:
        """Name and the first digits of the hash."""
        return f'{self.name}@{self.sha256[:12]}'


def find_checkpoint(name: str) -> Path:
    """Return the path of the weights, given a packaged name or the path itself."""
    if name.endswith('.safetensors'):
        return Path(name).expanduser()
    try:
        return find_shared(f'models/{name}.safetensors')
    except FileNotFoundError as error:
        raise FileNotFoundError(
            f'no checkpoint {name!r}; give the path of a .safetensors file ({error})'
        ) from error


def load_checkpoint(name: str, *kinds: str) -> Checkpoint:
    """
    Load and verify a checkpoint.

    name    name of a packaged checkpoint, or the path of a .safetensors file
    kinds   what the caller can use, see Checkpoint
    raises  FileNotFoundError, or ValueError when the kind or the hash is wrong
    """
    path = find_checkpoint(name)
    manifest_path = path.with_suffix('.json')
    if not path.is_file() or not manifest_path.is_file():
        raise FileNotFoundError(f'{path} and {manifest_path.name} must both exist; check the path')
    manifest = _read_manifest(manifest_path)
    if manifest['kind'] not in kinds:
        wanted = ' or '.join(kinds)
        raise ValueError(f'{path} holds a {manifest["kind"]} model; give one of kind {wanted}')
    data = path.read_bytes()
    sha256 = hashlib.sha256(data).hexdigest()
    if sha256 != manifest['sha256']:
        raise ValueError(
            f'{path} has sha256 {sha256[:12]}…, its manifest says {manifest["sha256"][:12]}…; '
            'the file is damaged or was exchanged: install it again'
        )
    extras = {key: value for key, value in manifest.items() if key not in MANIFEST}
    tensors = _tensors(path, data)
    return Checkpoint(path.stem, manifest['kind'], manifest['config'], tensors, sha256, extras)


@contextmanager
def building(checkpoint: Checkpoint) -> Iterator[None]:
    """Raise ValueError when the code inside cannot build what the manifest describes."""
    try:
        yield
    except (AttributeError, LookupError, TypeError, ArithmeticError, RuntimeError) as error:
        raise ValueError(
            f'the manifest of {checkpoint.model_id} describes no network of this version '
            f'({type(error).__name__}: {error}); install the model again'
        ) from error


def restore(module: nn.Module, checkpoint: Checkpoint) -> None:
    """Load the weights into a network; raise ValueError when they do not fit it."""
    try:
        module.load_state_dict(checkpoint.tensors)
    except RuntimeError as error:
        mismatch = str(error).splitlines()[1].strip() if '\n' in str(error) else str(error)
        raise ValueError(
            f'the weights of {checkpoint.model_id} do not fit the network that its manifest or '
            f'the options describe ({mismatch}); install the model again, or change the options'
        ) from error


def save_checkpoint(
    path: Path,
    kind: str,
    config: Mapping[str, Any],
    tensors: Mapping[str, Tensor],
    extras: Mapping[str, Any],
) -> None:
    """
    Write PATH.safetensors and PATH.json; each appears whole or not at all.

    path  with the ending .safetensors, or without
    """
    path = path.with_name(f'{path.name.removesuffix(".safetensors")}.safetensors')
    data = save({name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()})
    manifest = {
        'kind': kind,
        'sha256': hashlib.sha256(data).hexdigest(),
        'config': dict(config),
        **extras,
    }
    write_atomically(path, data)
    write_json(path.with_suffix('.json'), manifest)


def _read_manifest(path: Path) -> dict[str, Any]:
    try:
        manifest = json.loads(path.read_text())
    except (ValueError, RecursionError) as error:
        raise ValueError(f'{path} is not JSON ({error}); install the model again') from error
    found = manifest if isinstance(manifest, dict) else {}
    wrong = [key for key, kind in MANIFEST.items() if not isinstance(found.get(key), kind)]
    if wrong:
        raise ValueError(f'{path} lacks {wrong}; install the model again')
    return found


def _tensors(path: Path, data: bytes) -> dict[str, Tensor]:
    try:
        return load(data)
    except (SafetensorError, KeyError, RuntimeError) as error:
        raise ValueError(
            f'{path} is no safetensors file ({error}); install the model again'
        ) from error
