"""A detector of transformers: the contract with a model, and a real one with random weights."""

import sys
from types import SimpleNamespace

from diffpose_ros.core.config import DetectorConfig
from diffpose_ros.core.detector_transformers import Preparation, TransformersDetector
from diffpose_ros.core.pipeline import load_detector
import numpy as np
import pytest
import torch

CPU = torch.device('cpu')
NOISE = np.random.default_rng(0).integers(0, 256, (120, 160, 3), np.uint8)
SMALL = {
    **{'d_model': 32, 'encoder_hidden_dim': 32, 'encoder_ffn_dim': 32, 'decoder_ffn_dim': 32},
    **{'encoder_layers': 1, 'decoder_layers': 1, 'num_queries': 5, 'num_denoising': 0},
    **{'encoder_attention_heads': 2, 'decoder_attention_heads': 2, 'decoder_n_points': 2},
    **{'encoder_in_channels': [16] * 3, 'decoder_in_channels': [32] * 3},
}
BACKBONE = {
    **{'embedding_size': 8, 'hidden_sizes': [8, 16, 16, 16], 'depths': [1] * 4},
    **{'out_features': ['stage2', 'stage3', 'stage4']},
}


class Model(torch.nn.Module):
    """Answers with what it is told, and keeps what it was shown."""

    def __init__(self, logits, boxes):
        super().__init__()
        self.logits, self.boxes = torch.tensor([logits]), torch.tensor([boxes])

    def forward(self, pixel_values):
        self.shown = pixel_values
        return SimpleNamespace(logits=self.logits, pred_boxes=self.boxes)


def detector(logits, boxes, preparation=None):
    return TransformersDetector(Model(logits, boxes), preparation or Preparation(), 1, CPU)


def test_people_come_in_pixels_of_the_picture_best_first():
    boxes = [[0.25, 0.5, 0.1, 0.5], [0.75, 0.5, 0.2, 1.0]]
    found = detector([[0.0, 1.0], [0.0, 3.0]], boxes).detect(np.zeros((100, 200, 3), np.uint8))
    assert [box.score for box in found] == pytest.approx([0.9526, 0.7311], abs=1e-4)
    np.testing.assert_allclose(found[0].corners, [129.5, -0.5, 169.5, 99.5], atol=1e-4)


def test_other_classes_faint_answers_and_repetitions_are_left_out():
    boxes = [[0.5, 0.5, 0.2, 0.5]] * 2 + [[0.1, 0.5, 0.1, 0.5]] * 2
    logits = [[0.0, 2.0], [0.0, 1.9], [5.0, -3.0], [0.0, -4.0]]
    assert len(detector(logits, boxes).detect(np.zeros((100, 200, 3), np.uint8))) == 1


def test_numbers_that_are_not_finite_are_refused():
    broken = detector([[0.0, float('nan')]], [[0.5, 0.5, 0.1, 0.1]])
    with pytest.raises(ValueError, match='not finite'):
        broken.warm_up()


def test_a_picture_is_prepared_as_the_model_says():
    told = {
        'size': {'height': 32, 'width': 64},
        'do_normalize': True,
        'image_mean': [0.5, 0.5, 0.5],
        'image_std': [0.25, 0.25, 0.25],
    }
    shown = Preparation.from_dict(told)(np.full((10, 20, 3), 255, np.uint8))
    assert shown.shape == (1, 3, 32, 64)
    torch.testing.assert_close(shown, torch.full_like(shown, 2.0))


def test_without_such_numbers_it_is_640_pixels_from_0_to_1():
    shown = Preparation.from_dict({})(np.full((10, 20, 3), 255, np.uint8))
    assert shown.shape == (1, 3, 640, 640)
    torch.testing.assert_close(shown, torch.ones_like(shown))


def test_a_model_whose_pictures_have_no_fixed_size_is_refused():
    with pytest.raises(ValueError, match='fixed size'):
        Preparation.from_dict({'size': {'shortest_edge': 800, 'longest_edge': 1333}})


def test_without_transformers_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, 'transformers', None)
    with pytest.raises(ValueError, match=r"pip install 'transformers>=5'"):
        TransformersDetector.load('any', CPU)


def test_a_transformers_detector_needs_a_model():
    with pytest.raises(ValueError, match=r'detector\.model'):
        load_detector(DetectorConfig(source='transformers'), CPU)


def rt_detr(transformers, labels):
    backbone = transformers.RTDetrResNetConfig(layer_type='basic', **BACKBONE)
    return transformers.RTDetrConfig(backbone_config=backbone, id2label=labels, **SMALL)


def d_fine(transformers, labels):
    backbone = transformers.HGNetV2Config(
        **{'stem_channels': [3, 8, 8], 'stage_in_channels': [8, 8, 16, 16]},
        **{'stage_mid_channels': [8] * 4, 'stage_out_channels': [8, 16, 16, 16]},
        **{'stage_num_blocks': [1] * 4, 'stage_numb_of_layers': [1] * 4},
        **BACKBONE,
    )
    return transformers.DFineConfig(
        backbone_config=backbone, id2label=labels, **SMALL | {'decoder_layers': 2}
    )


@pytest.fixture(params=[rt_detr, d_fine])
def folder(request, tmp_path):
    """Return a folder with a small model of random weights, as save_pretrained leaves it."""
    transformers = pytest.importorskip('transformers', reason='transformers is not installed')

    def save(labels):
        torch.manual_seed(0)
        config = request.param(transformers, dict(enumerate(labels)))
        transformers.AutoModelForObjectDetection.from_config(config).save_pretrained(tmp_path)
        return str(tmp_path)

    return save


def test_a_local_folder_is_loaded_and_answers_with_boxes_in_the_picture(folder):
    config = DetectorConfig(source='transformers', model=folder(['cat', 'person']))
    detector = load_detector(config, CPU)
    detector.warm_up()
    found = detector.detect(NOISE)
    assert found
    for box in found:
        assert (box.corners >= -0.5).all()
        assert (box.corners <= [159.5, 119.5] * 2).all()


def test_a_model_that_knows_no_people_is_refused(folder):
    with pytest.raises(ValueError, match="knows no 'person', only"):
        TransformersDetector.load(folder(['cat', 'dog']), CPU)
