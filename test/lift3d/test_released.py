"""Published files: their containers, and clear words about anything else."""

from zipfile import ZIP_DEFLATED, ZipFile

from diffpose_ros.lift3d.folded import FoldedNetwork
from diffpose_ros.lift3d.mixste import Layer
from diffpose_ros.lift3d.released import (
    network_of,
    read_released,
    refine,
    released_denoiser,
    released_lifter,
)
import numpy as np
import pytest
import torch


def parallel(network):
    return {f'module.{name}': value for name, value in network.state_dict().items()}


def test_list_container_with_prefix_gives_back_the_weights(tmp_path):
    network = released_denoiser()
    torch.save([parallel(network), {'state': {}}, 3, 100], tmp_path / 'diffpose_uvxyz_cpn.pth')
    kind, loaded = network_of(read_released(tmp_path / 'diffpose_uvxyz_cpn.pth'))
    assert kind == 'gcndiff'
    for name, value in network.state_dict().items():
        assert torch.equal(loaded.state_dict()[name], value)


def test_unused_weights_of_the_published_lifter_are_left_out(tmp_path):
    state = parallel(released_lifter()) | {'module.temb.dense.0.weight': torch.ones(384, 96)}
    torch.save([state], tmp_path / 'gcn_xyz_cpn.pth')
    kind, _ = network_of(read_released(tmp_path / 'gcn_xyz_cpn.pth'))
    assert kind == 'gcnpose'


def test_dict_container_is_opened(tmp_path):
    torch.save({'model_pos': {'module.head.1.bias': torch.zeros(3)}}, tmp_path / 'mixste.bin')
    assert list(read_released(tmp_path / 'mixste.bin')) == ['head.1.bias']


def test_a_training_file_with_numpys_random_state_gives_its_weights(tmp_path):
    content = {
        'epoch': 3,
        'random_state': np.random.RandomState(1234),
        'model_pos': {'module.head.1.bias': torch.ones(3)},
    }
    torch.save(content, tmp_path / 'mixste.bin')
    (weights,) = read_released(tmp_path / 'mixste.bin').values()
    assert weights.tolist() == [1, 1, 1]


@pytest.mark.parametrize('content', [[], {'epoch': 3}, 'text', [3], [{0: torch.ones(1)}]])
def test_file_without_weights_is_refused(tmp_path, content):
    torch.save(content, tmp_path / 'other.pth')
    with pytest.raises(ValueError, match='published'):
        read_released(tmp_path / 'other.pth')


def test_file_that_would_run_code_is_refused(tmp_path):
    torch.save([print], tmp_path / 'code.pth')
    with pytest.raises(ValueError, match='cannot be read as weights alone'):
        read_released(tmp_path / 'code.pth')


def test_a_file_that_would_unpack_to_more_than_it_is_is_refused(tmp_path):
    torch.save([{'head.weight': torch.zeros(10**6)}], tmp_path / 'plain.pth')
    with ZipFile(tmp_path / 'plain.pth') as plain, ZipFile(tmp_path / 'bomb.pth', 'w') as bomb:
        for name in plain.namelist():
            bomb.writestr(name, plain.read(name), ZIP_DEFLATED)
    assert (tmp_path / 'bomb.pth').stat().st_size < 10**5
    with pytest.raises(ValueError, match='cannot be read as weights alone'):
        read_released(tmp_path / 'bomb.pth')


@pytest.mark.parametrize(
    'weight',
    [
        torch.zeros(1).expand(10**6, 10**6),
        torch.tensor([torch.nan]),
        torch.ones(3).to(torch.cfloat),
    ],
    ids=['claimed', 'nan', 'complex'],
)
def test_numbers_that_are_no_weights_are_refused(tmp_path, weight):
    torch.save([{'head.weight': weight}], tmp_path / 'wrong.pth')
    with pytest.raises(ValueError, match=r'head\.weight'):
        read_released(tmp_path / 'wrong.pth')


def test_weights_that_claim_a_huge_network_take_no_memory():
    claimed = {'Temporal_pos_embed': torch.zeros(1, 1, 40_000)}
    few = {name: torch.zeros(8) for name in Layer(8, 8).state_dict()}
    layer = {f'STEblocks.0.{name}': value for name, value in few.items()}
    with pytest.raises(ValueError, match='do not fit the published network'):
        network_of(claimed | layer)


def test_weights_of_another_network_are_refused():
    with pytest.raises(ValueError, match=r'gconv_input\.weight'):
        network_of({'conv1.weight': torch.ones(1)})


def test_weights_of_another_width_are_refused():
    state = released_lifter().state_dict() | {'gconv_input.bias': torch.zeros(1, 1, 7)}
    with pytest.raises(ValueError, match='do not fit'):
        network_of(state)


def test_weights_of_another_rank_are_refused():
    with pytest.raises(ValueError, match='do not fit'):
        network_of({'gconv_input.weight': torch.ones(3)})


@pytest.mark.parametrize('shape', [(9,), (1, 8, 16), (1, 9, 12)])
def test_video_weights_that_no_window_suits_are_refused(shape):
    weights = {'Temporal_pos_embed': torch.ones(shape), 'STEblocks.0.mlp.fc1.bias': torch.ones(3)}
    with pytest.raises(ValueError, match='give weights of a window with a middle frame'):
        network_of(weights)


def test_every_noise_gives_a_pose_of_its_own():
    network, state = FoldedNetwork(released_denoiser()), torch.randn(2, 17, 5)
    noise = torch.randn(2, 3, 17, 5)
    poses = refine(network, state, 12, 2, noise)
    assert poses.shape == (2, 3, 17, 5)
    alone = refine(network, state[1:], 12, 2, noise[1:, 2:])
    torch.testing.assert_close(poses[1, 2], alone[0, 0], atol=1e-5, rtol=1e-5)


def test_more_steps_than_the_chain_has_are_all_of_them():
    network, state = FoldedNetwork(released_denoiser()), torch.randn(2, 17, 5)
    assert torch.equal(refine(network, state, 6, 50), refine(network, state, 6, 6))
