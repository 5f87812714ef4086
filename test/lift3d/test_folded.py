"""Folded networks give the numbers of the networks they were made of."""

from diffpose_ros.core.skeleton import H36M_17
from diffpose_ros.lift3d.folded import FoldedNetwork
from diffpose_ros.lift3d.graph import GraphNetwork
from diffpose_ros.lift3d.released import network_of
import pytest
from safetensors.torch import load_file
import torch

EDGES = H36M_17.edges


def perturbed(network):
    for parameter in network.parameters():
        parameter.data += 0.05 * torch.rand_like(parameter)
    return network.eval()


@torch.no_grad()
@pytest.mark.parametrize('t', [0.0, 37.0])
def test_folded_denoiser_equals_the_network(t):
    network = perturbed(GraphNetwork(EDGES, 5, 5, 32, 2, 4, stepped=True))
    x = torch.randn(3, 17, 5)
    expected = network(x, torch.full((3,), t))
    torch.testing.assert_close(FoldedNetwork(network)(x, t), expected, atol=1e-5, rtol=1e-5)


@torch.no_grad()
def test_folded_lifter_equals_the_network():
    network = perturbed(GraphNetwork(EDGES, 2, 3, 32, 2, 4))
    x = torch.randn(3, 17, 2)
    torch.testing.assert_close(FoldedNetwork(network)(x), network(x), atol=1e-5, rtol=1e-5)


@torch.no_grad()
def test_channels_convolved_beforehand_change_nothing():
    network = perturbed(GraphNetwork(EDGES, 5 + 7, 5, 32, 2, 4, stepped=True))
    x = torch.randn(3, 17, 12)
    folded = FoldedNetwork(network)
    split = folded(x[..., :5], 4.0, folded.given(x[..., 5:]))
    torch.testing.assert_close(split, folded(x, 4.0), atol=1e-5, rtol=1e-5)


@torch.no_grad()
def test_folded_networks_equal_the_published_ones(shared_data):
    reference = load_file(shared_data / 'parity' / 'diffpose3d_reference.safetensors')
    networks = {}
    for prefix in ('sd_diff/', 'sd_pose/'):
        state = {n.removeprefix(prefix): v for n, v in reference.items() if prefix in n}
        kind, network = network_of(state)
        networks[kind] = FoldedNetwork(network)
    tolerance = {'atol': 2e-5, 'rtol': 0}
    torch.testing.assert_close(
        networks['gcnpose'](reference['uv']), reference['pose_out'], **tolerance
    )
    for x, t, eps in zip(reference['x'], reference['t'], reference['eps'], strict=True):
        out = networks['gcndiff'](x[None], float(t))
        torch.testing.assert_close(out[0], eps, **tolerance)
