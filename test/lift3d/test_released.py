"""Published files: their containers, and clear words about anything else."""

from diffpose_ros.lift3d.released import (
    lift_released,
    network_of,
    Preset,
    PRESETS,
    read_released,
    refine,
    released_denoiser,
    released_lifter,
)
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


@pytest.mark.parametrize('content', [[], {'epoch': 3}, 'text', [3]])
def test_file_without_weights_is_refused(tmp_path, content):
    torch.save(content, tmp_path / 'other.pth')
    with pytest.raises(ValueError, match='published'):
        read_released(tmp_path / 'other.pth')


def test_file_that_would_run_code_is_refused(tmp_path):
    torch.save([print], tmp_path / 'code.pth')
    with pytest.raises(ValueError, match='cannot be read as weights alone'):
        read_released(tmp_path / 'code.pth')


def test_weights_of_another_network_are_refused():
    with pytest.raises(ValueError, match=r'gconv_input\.weight'):
        network_of({'conv1.weight': torch.ones(1)})


def test_weights_of_another_width_are_refused():
    state = released_lifter().state_dict() | {'gconv_input.bias': torch.zeros(1, 1, 7)}
    with pytest.raises(ValueError, match='do not fit'):
        network_of(state)


def test_lifted_pose_has_its_hip_at_the_origin():
    pose = lift_released(
        released_lifter(), released_denoiser(), torch.randn(2, 17, 2), PRESETS['frame_cpn']
    )
    assert pose.shape == (2, 17, 3)
    assert torch.equal(pose[:, 0], torch.zeros(2, 3))


def test_equal_hypotheses_give_the_mean_of_one():
    network, state = released_denoiser(), torch.randn(2, 17, 5)
    preset = Preset(12, 2, hypotheses=3, noisy=True)
    noise = torch.randn(2, 1, 17, 5)
    torch.testing.assert_close(
        refine(network, state, preset, noise.repeat(1, 3, 1, 1)),
        refine(network, state, preset, noise),
    )
