import copy
from dataclasses import replace

from diffpose_ros.video2d.backbone import COMPACT, VIT_B16
from diffpose_ros.video2d.layers import fold_batch_norms
from diffpose_ros.video2d.network import NetworkConfig, PoseNetwork
import pytest
import torch


def test_the_configuration_survives_json():
    import dataclasses
    import json

    config = NetworkConfig(widths=(12, 24, 48), past=3)
    stored = json.loads(json.dumps(dataclasses.asdict(config)))
    assert NetworkConfig.from_dict(stored) == config


@pytest.mark.parametrize(
    ('wrong', 'says'), [({'backbone': 'vgg'}, COMPACT), ({'crop_size': (144, 190)}, '16')]
)
def test_a_wrong_configuration_is_refused_with_what_would_be_right(wrong, says):
    with pytest.raises(ValueError, match=says):
        NetworkConfig(**wrong)


def test_the_default_network_fits_into_a_checkpoint_of_25_megabytes():
    network = PoseNetwork(NetworkConfig())
    assert sum(v.numel() * v.element_size() for v in network.state_dict().values()) < 25e6


def test_features_are_a_sixteenth_of_the_crop(small_network):
    assert small_network.features(torch.rand(2, 3, 64, 48) * 255).shape == (2, 24, 4, 3)


def test_folding_batch_norm_changes_nothing_but_the_time(small_network):
    folded = fold_batch_norms(copy.deepcopy(small_network))
    assert not any(isinstance(m, torch.nn.BatchNorm2d) for m in folded.modules())
    pictures = torch.rand(2, 3, 64, 48) * 255
    F, t = torch.randn(2, 16, 4, 3), torch.tensor([10, 800])
    x_t = torch.randn(2, 15, 16, 12)
    close = {'atol': 1e-4, 'rtol': 1e-3}
    expected = small_network.features(pictures)
    torch.testing.assert_close(folded.features(pictures), expected, **close)
    torch.testing.assert_close(folded(x_t, F, t), small_network(x_t, F, t), **close)


def test_a_full_peak_and_an_empty_place_span_the_signal_evenly(small_network):
    scale = small_network.config.signal_scale
    signal = small_network.to_signal(torch.tensor([0.0, 0.5, 1.0, 1.5]))
    torch.testing.assert_close(signal, torch.tensor([-scale, 0.0, scale, scale]))


def test_the_vit_of_the_paper_can_be_chosen():
    pytest.importorskip('transformers', reason='transformers is not installed')
    config = NetworkConfig(backbone=VIT_B16, crop_size=(32, 48))
    network = PoseNetwork(config).eval()
    assert 80e6 < sum(p.numel() for p in network.backbone.parameters()) < 90e6
    with torch.no_grad():
        features = network.features(torch.rand(1, 3, 48, 32) * 255)
        window, present = features[:, None].expand(-1, 5, -1, -1, -1), torch.ones(1, 5) > 0
        F = network.strl(window, present)
        heat = network(torch.randn(1, 15, 12, 8), F, torch.tensor([999]))
    assert features.shape == (1, 768, 3, 2)
    assert heat.shape == (1, 15, 12, 8)


@pytest.fixture(scope='module')
def published(tmp_path_factory):
    """Return a whole ViTPose estimator as its authors publish it, and the folder that holds it."""
    transformers = pytest.importorskip('transformers', reason='transformers is not installed')
    backbone = {'image_size': [48, 32], 'patch_size': [16, 16], 'out_indices': [12]}
    estimator = transformers.VitPoseForPoseEstimation(
        transformers.VitPoseConfig(
            backbone_config=transformers.VitPoseBackboneConfig(**backbone), num_labels=17
        )
    ).half()
    folder = tmp_path_factory.mktemp('vitpose')
    estimator.save_pretrained(folder)
    return estimator, str(folder)


def test_published_vitpose_weights_start_the_backbone(published):
    estimator, folder = published
    config = NetworkConfig(backbone=VIT_B16, crop_size=(32, 48), pretrained=folder)
    network = PoseNetwork(config)
    taken, given = network.backbone.vit.state_dict(), estimator.backbone.state_dict()
    assert taken.keys() == given.keys()
    assert all(torch.equal(taken[name], given[name].float()) for name in given)


def test_vitpose_weights_for_other_crops_are_refused(published):
    with pytest.raises(ValueError, match='give a ViTPose base model and the crop'):
        PoseNetwork(NetworkConfig(backbone=VIT_B16, crop_size=(64, 48), pretrained=published[1]))


def test_weights_for_small_crops_start_a_network_for_larger_ones(small_network, small_config):
    columns, rows = small_config.crop_size
    larger = PoseNetwork(replace(small_config, crop_size=(2 * columns, 2 * rows))).eval()
    larger.load_state_dict(small_network.state_dict())
    assert larger.strl.space.weight.shape[2:] == (2 * rows // 16, 2 * columns // 16)

    F, t = torch.randn(1, 16, 2 * rows // 16, 2 * columns // 16), torch.tensor([500])
    x_t = torch.randn(1, 15, 2 * rows // 4, 2 * columns // 4)
    # The small network resizes its grids whenever a picture is of another size.
    assert torch.allclose(larger(x_t, F, t), small_network(x_t, F, t), atol=1e-5)
