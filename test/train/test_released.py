"""Importing made-up files of the published kinds."""

from argparse import Namespace

from diffpose_ros.core.checkpoint import load_checkpoint
from diffpose_ros.lift3d.released import released_denoiser, released_lifter
from diffpose_ros.train.released import KIND, run
import pytest
import torch


@pytest.fixture
def files(tmp_path):
    for name, network in (('gcn.pth', released_lifter()), ('diff.pth', released_denoiser())):
        state = {f'module.{key}': value for key, value in network.state_dict().items()}
        torch.save([state], tmp_path / name)
    return tmp_path


def options(folder, lifter='gcn.pth', denoiser='diff.pth'):
    return Namespace(
        lifter=folder / lifter,
        denoiser=folder / denoiser,
        preset='frame_cpn',
        out=folder / 'frame_cpn.safetensors',
    )


def test_both_networks_end_up_in_one_checkpoint(files):
    assert run(options(files)) == 0
    checkpoint = load_checkpoint(str(files / 'frame_cpn.safetensors'), KIND)
    assert checkpoint.config == {'preset': 'frame_cpn'}
    original = torch.load(files / 'gcn.pth', weights_only=True)[0]
    for name, value in original.items():
        assert torch.equal(checkpoint.tensors['gcnpose/' + name.removeprefix('module.')], value)


def test_exchanged_files_are_told(files):
    with pytest.raises(ValueError, match='exchange the files'):
        run(options(files, lifter='diff.pth', denoiser='gcn.pth'))
