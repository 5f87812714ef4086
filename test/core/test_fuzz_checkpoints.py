"""Damaged checkpoints are refused in words, also when somebody made the hash fit."""

import hashlib
import json

from diffpose_ros.core.checkpoint import (
    Checkpoint,
    find_checkpoint,
    load_checkpoint,
    save_checkpoint,
)
from diffpose_ros.lift3d.lifter import Lifter
from fuzzing import cases, damaged, pick, survives
import pytest
import torch

WRONG = (None, 0, -1, 1.5, 'x', [], [1], {}, True)


@pytest.fixture
def saved(tmp_path):
    path = tmp_path / 'net.safetensors'
    save_checkpoint(path, 'lift3d', {'width': 3}, {'w': torch.ones(3, 4)}, {})
    return path


def test_damaged_weights_with_a_fitting_hash_load_or_are_refused(saved):
    weights, manifest = saved.read_bytes(), json.loads(saved.with_suffix('.json').read_text())

    def work(rng):
        data = damaged(weights, rng)
        saved.write_bytes(data)
        told = manifest | {'sha256': hashlib.sha256(data).hexdigest()}
        saved.with_suffix('.json').write_text(json.dumps(told))
        load_checkpoint(str(saved), 'lift3d')

    answered = [survives(lambda rng=rng: work(rng)) for rng in cases(1000)]
    assert not all(answered)


def test_damaged_manifests_load_or_are_refused(saved):
    manifest = saved.with_suffix('.json')
    text = manifest.read_bytes()

    def work(rng):
        manifest.write_bytes(damaged(text, rng))
        load_checkpoint(str(saved), 'lift3d')

    answered = [survives(lambda rng=rng: work(rng)) for rng in cases(1000)]
    assert not all(answered)


def test_a_manifest_that_describes_no_network_is_refused():
    good = load_checkpoint('lift3d_default', 'lift3d')
    config = json.loads(find_checkpoint('lift3d_default').with_suffix('.json').read_text())[
        'config'
    ]

    def work(rng):
        wrong = config | {pick(rng, (*config, 'unheard_of')): pick(rng, WRONG)}
        changed = Checkpoint('net', 'lift3d', wrong, good.tensors, good.sha256, good.extras)
        Lifter.from_checkpoint(changed, torch.device('cpu'))

    answered = [survives(lambda rng=rng: work(rng)) for rng in cases(60)]
    assert not all(answered)
