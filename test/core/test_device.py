from diffpose_ros.core.device import pick_device, pick_precision
import pytest
import torch

NO_GPU = pytest.mark.skipif(torch.cuda.is_available(), reason='there is a GPU')


@NO_GPU
@pytest.mark.parametrize(
    ('name', 'text'),
    [
        ('gpu', 'set it to auto, cpu, cuda or cuda:N'),
        ('meta', 'set it to auto, cpu, cuda or cuda:N'),
        ('cuda:9', 'torch sees no GPU'),
    ],
)
def test_an_unusable_device_is_refused_with_the_remedy(name, text):
    with pytest.raises(ValueError, match=text):
        pick_device(name)


@NO_GPU
@pytest.mark.parametrize('seen', [False, True])
def test_auto_takes_the_processor_where_no_gpu_works(monkeypatch, seen):
    monkeypatch.setattr(torch.cuda, 'is_available', lambda: seen)
    assert pick_device('auto').type == 'cpu'


@pytest.mark.parametrize(
    ('told', 'expected'),
    [
        ({'amx_bf16': True, 'avx512_bf16': True}, torch.bfloat16),
        ({'amx_bf16': False, 'avx512_bf16': True}, torch.bfloat16),
        ({'amx_bf16': False, 'avx512_f': True}, torch.float32),
        ({}, torch.float32),
    ],
    ids=['Xeon with AMX', 'EPYC with AVX512_BF16', 'AVX-512 alone', 'another architecture'],
)
def test_auto_takes_short_numbers_where_the_processor_is_made_for_them(
    monkeypatch, told, expected
):
    monkeypatch.setattr(torch.cpu, 'get_capabilities', lambda: told, raising=False)
    assert pick_precision('auto', torch.device('cpu')) == expected


def test_a_torch_that_tells_nothing_of_the_processor_computes_in_long_numbers(monkeypatch):
    monkeypatch.delattr(torch.cpu, 'get_capabilities', raising=False)
    assert pick_precision('auto', torch.device('cpu')) == torch.float32


@pytest.mark.parametrize('name', ['float32', 'bfloat16'])
def test_numbers_that_are_asked_for_are_taken(name):
    assert pick_precision(name, torch.device('cpu')) == getattr(torch, name)
