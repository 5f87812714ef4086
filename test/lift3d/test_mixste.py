"""The published video network, against PyTorch's own transformer layers."""

from diffpose_ros.lift3d.mixste import HEADS, Layer, MixSTE
from diffpose_ros.lift3d.released import network_of
import pytest
import torch
from torch import nn

SIZES = {'frames': 5, 'C': 16, 'depth': 2, 'hidden': 24}


@pytest.fixture
def network():
    network = MixSTE(**SIZES).eval()
    for parameter in network.parameters():
        parameter.data += 0.1 * torch.randn_like(parameter)
    return network


def standard(layer: Layer) -> nn.TransformerEncoderLayer:
    """Return PyTorch's layer with the same weights."""
    C, hidden = layer.mlp.fc1.in_features, layer.mlp.fc1.out_features
    options = {'activation': 'gelu', 'batch_first': True, 'norm_first': True}
    twin = nn.TransformerEncoderLayer(C, HEADS, hidden, 0.0, layer_norm_eps=1e-6, **options)
    parts = {
        'norm1': layer.norm1,
        'norm2': layer.norm2,
        'linear1': layer.mlp.fc1,
        'linear2': layer.mlp.fc2,
        'self_attn.out_proj': layer.attn.proj,
    }
    state = {f'{k}.{n}': v for k, part in parts.items() for n, v in part.state_dict().items()}
    state |= {f'self_attn.in_proj_{n}': v for n, v in layer.attn.qkv.state_dict().items()}
    twin.load_state_dict(state)
    return twin.eval()


@torch.no_grad()
def test_network_equals_one_of_standard_layers_joint_by_joint_and_frame_by_frame(network):
    uv = torch.randn(2, 5, 17, 2)
    x = network.Spatial_patch_to_embedding(uv) + network.Spatial_pos_embed
    for i, layers in enumerate(zip(network.STEblocks, network.TTEblocks, strict=True)):
        among_joints, among_frames = (standard(layer) for layer in layers)
        x = torch.stack([network.Spatial_norm(among_joints(x[:, t])) for t in range(5)], dim=1)
        if i == 0:
            x = x + network.Temporal_pos_embed[:, :, None]
        x = torch.stack(
            [network.Temporal_norm(among_frames(x[:, :, j])) for j in range(17)], dim=2
        )
    torch.testing.assert_close(network(uv), network.head(x), atol=1e-5, rtol=1e-5)


def test_sizes_are_read_from_the_weights(network):
    kind, loaded = network_of(network.state_dict())
    assert kind == 'mixste'
    uv = torch.randn(1, 5, 17, 2)
    assert torch.equal(loaded(uv), network(uv))


def test_published_size_has_the_published_number_of_weights():
    with torch.device('meta'):
        network = MixSTE(frames=243, C=512, depth=8, hidden=1024)
    assert sum(parameter.numel() for parameter in network.parameters()) == 33_783_811
    assert len(network.state_dict()) == 204


def test_weights_that_do_not_fit_are_refused(network):
    state = network.state_dict()
    del state['head.1.bias']
    with pytest.raises(ValueError, match='do not fit'):
        network_of(state)
