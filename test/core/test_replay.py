"""Recordings of networks; what a GPU makes of them is in test_gpu."""

from diffpose_ros.core.replay import Replayed
import torch


def test_a_processor_records_nothing():
    given = []

    def function(x, *, more):
        given.append(x)
        return (x + more,)

    replayed, x = Replayed(function), torch.zeros(2)
    for n in range(3):
        assert torch.equal(replayed(x, more=n)[0], torch.full((2,), float(n)))
    assert all(one is x for one in given)
    assert len(given) == 3
