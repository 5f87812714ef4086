"""Where the networks run."""

import torch


def pick_device(name: str) -> torch.device:
    """Return the device of that name; auto takes a GPU if there is one that works."""
    if name == 'auto':
        return torch.device('cuda' if gpu_works() else 'cpu')
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise ValueError(f'device = {name!r}; set it to auto, cpu or cuda:N') from error
    if device.type == 'cuda' and not torch.cuda.is_available():
        raise ValueError(f'device = {name!r}, but torch sees no GPU; set it to auto or cpu')
    return device


def gpu_works() -> bool:
    """Say whether there is a GPU that this torch was built for."""
    try:
        return torch.cuda.is_available() and bool(torch.ones(1, device='cuda') + 1)
    except (RuntimeError, AssertionError):  # no kernels for it, its driver too old, no CUDA
        return False
