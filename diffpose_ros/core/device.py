"""Where the networks run, and in which numbers."""

import torch


def pick_device(name: str) -> torch.device:
    """Return the device of that name; auto takes a GPU if there is one that works."""
    if name == 'auto':
        return torch.device('cuda' if gpu_works() else 'cpu')
    unknown = ValueError(f'device = {name!r}; set it to auto, cpu, cuda or cuda:N')
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise unknown from error
    if device.type not in ('cpu', 'cuda'):
        raise unknown
    if device.type == 'cuda' and (device.index or 0) >= torch.cuda.device_count():
        seen = torch.cuda.device_count() or 'no'
        raise ValueError(f'device = {name!r}, but torch sees {seen} GPU; set it to auto or cpu')
    return device


def gpu_works() -> bool:
    """Say whether there is a GPU that this torch was built for."""
    try:
        return torch.cuda.is_available() and bool(torch.ones(1, device='cuda') + 1)
    except (RuntimeError, AssertionError):  # no kernels for it, its driver too old, no CUDA
        return False


def pick_precision(name: str, device: torch.device) -> torch.dtype:
    """Return the numbers of that name; auto takes bfloat16 where the device is made for it."""
    if name == 'auto':
        return torch.bfloat16 if is_fast_at_bfloat16(device) else torch.float32
    return {'float32': torch.float32, 'bfloat16': torch.bfloat16}[name]


def is_fast_at_bfloat16(device: torch.device) -> bool:
    """Say whether the device multiplies matrices of bfloat16 by itself."""
    if device.type == 'cuda':
        return torch.cuda.get_device_capability(device) >= (8, 0)
    # Other processors are slower at it than at float32. Older torch does not tell.
    known = torch.cpu.get_capabilities() if hasattr(torch.cpu, 'get_capabilities') else {}
    return any(known.get(units) for units in ('amx_bf16', 'avx512_bf16'))
