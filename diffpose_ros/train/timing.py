"""
When the frames of a window were taken: cameras of many rates, lost frames, past alone or both.

B windows, T slots of 1/30 s around the key slot.
"""

import torch
from torch import Tensor

RATES = torch.tensor([30.0, 60, 25, 24, 20, 15, 12, 10, 7.5, 5])  # frames per second
SHARES = torch.tensor([0.4, 0.1, 0.06, 0.06, 0.06, 0.12, 0.05, 0.08, 0.04, 0.03])


# Batches of one kind, so that slots which nobody fills cost nothing.
KINDS = ('single', 'causal', 'centred')
KIND_SHARES = torch.tensor([0.35, 0.4, 0.25])


def sample_times(
    B: int, T: int, key: int, kind: str, random: torch.Generator
) -> tuple[Tensor, Tensor]:
    """
    Return when the slots were filled, and which.

    kind     single: the key frame alone; causal: no later frames; centred: both sides
    returns  (B, T)  slots from the key; a frame lies up to half a slot beside its slot
             (B, T)  present
    """
    slots = torch.arange(T) - key
    rates, shares = RATES.to(random.device), SHARES.to(random.device)
    rate = rates[torch.multinomial(shares, B, replacement=True, generator=random)]
    step = (30 / rate)[:, None]
    frame = torch.round(slots / step)
    times = frame * step
    present = (times - slots).abs() <= 0.5
    if kind != 'centred':
        present &= (slots <= 0) & (slots >= (0 if kind == 'single' else -T))
    present &= _since_start(B, slots, random)
    present &= _kept(B, T, random)
    present[:, key] = True
    jitter = 0.15 * torch.randn(B, T, generator=random).clamp(-2, 2)
    return times + jitter * (slots != 0), present


def _since_start(B: int, slots: Tensor, random: torch.Generator) -> Tensor:
    """Let some tracks begin within the window, few of them with the key frame."""
    begins = torch.randint(0, int(-slots[0]) + 1, (B, 1), generator=random)
    fresh = torch.rand(B, 1, generator=random)
    begins = torch.where(fresh < 0.05, 0, begins)
    return (slots.abs() <= begins) | (fresh > 0.2)


def _kept(B: int, T: int, random: torch.Generator) -> Tensor:
    """Lose single frames in one window of four."""
    share = 0.4 * torch.rand(B, 1, generator=random)
    share = share * (torch.rand(B, 1, generator=random) < 0.25)
    return torch.rand(B, T, generator=random) >= share
