from diffpose_ros.core.device import pick_device
import pytest
import torch

NO_GPU = pytest.mark.skipif(torch.cuda.is_available(), reason='there is a GPU')


@NO_GPU
@pytest.mark.parametrize(
    ('name', 'text'), [('gpu', 'set it to auto, cpu or cuda'), ('cuda:9', 'torch sees no GPU')]
)
def test_an_unusable_device_is_refused_with_the_remedy(name, text):
    with pytest.raises(ValueError, match=text):
        pick_device(name)


@NO_GPU
@pytest.mark.parametrize('seen', [False, True])
def test_auto_takes_the_processor_where_no_gpu_works(monkeypatch, seen):
    monkeypatch.setattr(torch.cuda, 'is_available', lambda: seen)
    assert pick_device('auto').type == 'cpu'
