"""The graph networks against numbers computed with the published code."""

from diffpose_ros.core.skeleton import H36M_17
from diffpose_ros.diffusion.schedule import sample
from diffpose_ros.lift3d.folded import FoldedNetwork
from diffpose_ros.lift3d.graph import (
    adjacency,
    ChebConv,
    chebyshev_basis,
    GraphNet,
    mix_joints,
    step_encoding,
)
from diffpose_ros.lift3d.released import (
    clean_names,
    network_of,
    PRESETS,
    refine,
    SCHEDULE,
)
import pytest
from safetensors.torch import load_file
import torch
from torch import Tensor

TOLERANCE = {'atol': 2e-5, 'rtol': 0}


@pytest.fixture(scope='module')
def reference(shared_data) -> dict[str, Tensor]:
    return load_file(shared_data / 'parity' / 'diffpose3d_reference.safetensors')


def weights(reference, prefix):
    return {name.removeprefix(prefix): t for name, t in reference.items() if prefix in name}


@pytest.fixture(scope='module')
def denoiser(reference):
    kind, network = network_of(weights(reference, 'sd_diff/'))
    assert kind == 'gcndiff'
    return network


@pytest.fixture(scope='module')
def lifter(reference):
    kind, network = network_of(weights(reference, 'sd_pose/'))
    assert kind == 'gcnpose'
    return network


def test_graph_constants_equal_the_published_ones(reference):
    A = adjacency(H36M_17.edges, 17)
    torch.testing.assert_close(A, reference['adj'], **TOLERANCE)
    torch.testing.assert_close(chebyshev_basis(A), reference['T'], **TOLERANCE)


@torch.no_grad()
def test_lifter_equals_the_published_one(reference, lifter):
    torch.testing.assert_close(lifter(reference['uv']), reference['pose_out'], **TOLERANCE)


@torch.no_grad()
def test_denoiser_and_step_embedding_equal_the_published_ones(reference, denoiser):
    t = reference['t']
    torch.testing.assert_close(denoiser.temb(t), reference['temb'], **TOLERANCE)
    torch.testing.assert_close(denoiser(reference['x'], t), reference['eps'], **TOLERANCE)


@pytest.mark.parametrize(('K', 'T'), [(1, 6), (2, 12), (2, 24), (5, 50), (50, 50)])
def test_sampler_equals_the_published_one(reference, denoiser, K, T):
    out = refine(FoldedNetwork(denoiser), reference['x'], T, K)
    torch.testing.assert_close(out[:, 0], reference[f'out_K{K}_T{T}'], **TOLERANCE)


@torch.no_grad()
def test_noisy_sampler_equals_the_published_one(reference, denoiser):
    def denoise(x, t):
        return SCHEDULE.predict_x_0(x, denoiser(x, torch.tensor([float(t)])), t)

    steps = SCHEDULE.strided_steps(2, 24)
    noise = list(reference['eta_noise'])
    out = sample(denoise, reference['x'], SCHEDULE, steps, 1.0, noise)
    torch.testing.assert_close(out, reference['out_eta1'], **TOLERANCE)


@torch.no_grad()
def test_training_loss_equals_the_published_one(reference, denoiser):
    t, e = reference['train_t'], reference['train_e']
    x_t = SCHEDULE.add_noise(reference['x'], t, e)
    torch.testing.assert_close(x_t, reference['train_xt'], **TOLERANCE)
    loss = (e - denoiser(x_t, t.float())).square().sum(dim=(1, 2)).mean()
    torch.testing.assert_close(loss, reference['train_loss'], atol=0, rtol=1e-6)


def test_betas_equal_the_published_ones(reference):
    alpha_bar = torch.cumprod(1 - reference['betas'].double(), dim=0)
    torch.testing.assert_close(SCHEDULE.alpha_bar[:-1], alpha_bar, atol=1e-8, rtol=0)


def test_presets_take_the_steps_of_the_released_settings():
    taken = {
        name: SCHEDULE.strided_steps(preset.steps, preset.end) for name, preset in PRESETS.items()
    }
    assert taken == {
        'frame_cpn': [(12, 0), (0, -1)],
        'frame_gt': [(6, 0), (0, -1)],
        'video_cpn': [(0, -1)],
        'video_gt': [(6, 0), (0, -1)],
        'paper': [(40, 30), (30, 20), (20, 10), (10, 0), (0, -1)],
    }


def test_mixing_joints_is_a_product_with_the_matrix_of_every_row():
    A, x = torch.randn(2, 4, 4), torch.randn(4, 3, 5)
    expected = torch.stack([torch.stack([a @ x[:, b] for b in range(3)], dim=1) for a in A])
    torch.testing.assert_close(mix_joints(A, x), expected)


def test_chebyshev_convolution_sums_over_its_terms():
    conv, x = ChebConv(5, 7), torch.randn(17, 3, 5)
    T = chebyshev_basis(adjacency(H36M_17.edges, 17))
    terms = [T[k] @ x[:, 1] @ conv.weight[k, 0] for k in range(3)]
    torch.testing.assert_close(conv(x, T)[:, 1], sum(terms) + conv.bias[0])


def test_graph_net_normalises_by_column_sums():
    net, x = GraphNet(4, 17), torch.randn(17, 2, 4)
    with torch.no_grad():
        net.A_hat += 0.1 * torch.rand(17, 17)
    d = torch.diag((net.A_hat.sum(dim=0) + 1e-5) ** -0.5)
    A = d @ net.A_hat @ d
    hidden = torch.relu(net.gconv1.fc(A @ x[:, 0]))
    torch.testing.assert_close(net(x)[:, 0], net.gconv2.fc(A @ hidden))


def test_step_encoding_has_sines_before_cosines():
    code = step_encoding(torch.tensor([0.0, 3.0]), 96)
    assert code[0].tolist() == [0.0] * 48 + [1.0] * 48
    assert code[1, 0] == pytest.approx(torch.sin(torch.tensor(3.0)).item())


def test_prefix_of_data_parallel_is_taken_off():
    assert list(clean_names({'module.a.b': torch.ones(1)})) == ['a.b']
