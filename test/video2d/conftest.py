from diffpose_ros.video2d.network import PoseNetwork
import pytest
import torch


@pytest.fixture
def small_network(small_config) -> PoseNetwork:
    """Return a network whose every weight matters, BatchNorm's statistics included."""
    network = PoseNetwork(small_config)
    for name, value in network.state_dict().items():
        if name.endswith(('running_mean', 'bias')):
            value.copy_(0.1 * torch.randn_like(value))
        if name.endswith('running_var'):
            value.copy_(0.5 + torch.rand_like(value))
    with torch.no_grad():
        network.decoder.head.weight.mul_(30)
    return network.eval().requires_grad_(False)
