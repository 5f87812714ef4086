from diffpose_ros.video2d.network import NetworkConfig, PoseNetwork
import pytest
import torch

SMALL = NetworkConfig(
    crop_size=(48, 64),
    widths=(12, 16, 24),
    depths=(1, 1, 1),
    dim=16,
    strl_layers=2,
    decoder_layers=1,
    decoder_widths=(12, 8),
    heads=2,
)


@pytest.fixture
def small_network() -> PoseNetwork:
    """Return a network whose every weight matters, BatchNorm's statistics included."""
    network = PoseNetwork(SMALL)
    for name, value in network.state_dict().items():
        if name.endswith(('running_mean', 'bias')):
            value.copy_(0.1 * torch.randn_like(value))
        if name.endswith('running_var'):
            value.copy_(0.5 + torch.rand_like(value))
    with torch.no_grad():
        network.decoder.head.weight.mul_(30)
    return network.eval().requires_grad_(False)
