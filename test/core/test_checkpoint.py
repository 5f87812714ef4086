import json

from diffpose_ros.core.checkpoint import load_checkpoint, restore, save_checkpoint
import pytest
import torch

TENSORS = {'layer.weight': torch.arange(6.0).reshape(2, 3)}


@pytest.fixture
def saved(tmp_path):
    path = tmp_path / 'net.safetensors'
    save_checkpoint(path, 'lift3d', {'width': 3}, TENSORS, {'trained': 'never'})
    return path


def test_what_was_saved_is_loaded(saved):
    checkpoint = load_checkpoint(str(saved), 'lift3d')
    assert checkpoint.config == {'width': 3}
    assert checkpoint.extras == {'trained': 'never'}
    torch.testing.assert_close(checkpoint.tensors, TENSORS)
    assert checkpoint.model_id == f'net@{checkpoint.sha256[:12]}'


def test_a_name_may_have_dots(tmp_path):
    save_checkpoint(tmp_path / 'net_1.5', 'lift3d', {}, TENSORS, {})
    assert load_checkpoint(str(tmp_path / 'net_1.5.safetensors'), 'lift3d').name == 'net_1.5'
    assert len(list(tmp_path.iterdir())) == 2


def test_a_changed_weight_file_is_refused(saved):
    data = bytearray(saved.read_bytes())
    data[-1] ^= 1
    saved.write_bytes(data)
    with pytest.raises(ValueError, match='damaged or was exchanged'):
        load_checkpoint(str(saved), 'lift3d')


def test_a_model_of_another_kind_is_refused(saved):
    with pytest.raises(ValueError, match='holds a lift3d model; give one of kind detector'):
        load_checkpoint(str(saved), 'detector')


def test_a_missing_file_is_told_with_its_path(tmp_path):
    with pytest.raises(FileNotFoundError, match=r'gone\.safetensors'):
        load_checkpoint(str(tmp_path / 'gone.safetensors'), 'lift3d')


def test_an_unknown_name_is_told_with_the_places_searched():
    with pytest.raises(FileNotFoundError, match=r"no checkpoint 'nobody'.*models"):
        load_checkpoint('nobody', 'lift3d')


@pytest.mark.parametrize('text', ['{', json.dumps({'kind': 'lift3d'})])
def test_a_broken_manifest_is_refused(saved, text):
    saved.with_suffix('.json').write_text(text)
    with pytest.raises(ValueError, match='install the model again'):
        load_checkpoint(str(saved), 'lift3d')


def test_saving_leaves_no_partial_files(saved):
    assert sorted(p.suffix for p in saved.parent.iterdir()) == ['.json', '.safetensors']


def test_weights_of_another_shape_are_refused_in_one_line(saved):
    checkpoint = load_checkpoint(str(saved), 'lift3d')
    with pytest.raises(ValueError, match=r'net@.* do not fit the network') as refused:
        restore(torch.nn.Linear(3, 3), checkpoint)
    assert '\n' not in str(refused.value)
