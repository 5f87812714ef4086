from itertools import pairwise
import json

from diffpose_ros.train.loop import Budget, Ema, RunFolder
import pytest
import safetensors.torch
import torch
from torch import nn


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_a_run_needs_an_end():
    with pytest.raises(ValueError, match='minutes or steps'):
        Budget()


def test_the_run_ends_at_whichever_limit_comes_first():
    clock = Clock()
    budget = Budget(minutes=1, steps=4, clock=clock)
    clock.now += 15
    budget.advance()
    assert budget.progress == pytest.approx(0.25)
    clock.now += 50
    budget.advance()
    assert budget.progress == 1.0
    assert Budget(minutes=100, steps=4, step=3).progress == pytest.approx(0.75)


def test_time_before_the_start_does_not_count():
    clock = Clock()
    budget = Budget(minutes=1, clock=clock)
    clock.now += 1000
    budget.start()
    clock.now += 6
    budget.advance()
    assert budget.elapsed_s == pytest.approx(6)


def test_the_learning_rate_warms_up_and_ends_near_zero():
    shares = [Budget(steps=1000, step=step).learning_rate_share() for step in range(1001)]
    assert shares[0] < 0.05
    assert max(shares) == pytest.approx(1, abs=0.05)
    assert shares[-1] == pytest.approx(1e-3)
    assert all(a > b for a, b in pairwise(shares[200:]))


def test_the_average_approaches_the_model_statistics_included():
    model = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2))
    ema = Ema(model, decay=0.9)
    with torch.no_grad():
        model[0].weight.fill_(1.0)
        model[1].running_mean.fill_(5.0)
    before = ema.model[0].weight.clone()
    ema.update(model)
    decay = 2 / 11  # the first update of a run trusts the newest weights most
    torch.testing.assert_close(ema.model[0].weight, before + (1 - decay) * (1 - before))
    for _ in range(200):
        ema.update(model)
    torch.testing.assert_close(ema.model[1].running_mean, model[1].running_mean)


def test_a_stopped_run_goes_on_exactly_where_it_was(tmp_path):
    def parts() -> tuple:
        model = nn.Linear(3, 2)
        return model, Ema(model), torch.optim.AdamW(model.parameters(), lr=0.1)

    def learn(model, ema, optimizer, budget) -> None:
        optimizer.zero_grad()
        model(torch.ones(1, 3)).square().sum().backward()
        optimizer.step()
        ema.update(model)
        budget.advance()

    folder = RunFolder(tmp_path)
    first, budget = parts(), Budget(steps=10)
    assert not folder.resume(*first, budget)
    for _ in range(3):
        learn(*first, budget)
    folder.save(*first, budget)
    again, later = parts(), Budget(steps=10)
    assert folder.resume(*again, later)
    assert (later.step, later.elapsed_s) == (3, budget.elapsed_s)
    for run, clock in ((first, budget), (again, later)):
        learn(*run, clock)
    torch.testing.assert_close(again[0].weight, first[0].weight)
    torch.testing.assert_close(again[1].model.weight, first[1].model.weight)


@pytest.fixture
def stopped(tmp_path):
    """Return the folder of a run of one layer."""
    folder, model = RunFolder(tmp_path), nn.Linear(3, 2)
    folder.write_config({'size': 3, 'scale': (1, 2)})
    folder.save(model, Ema(model), torch.optim.AdamW(model.parameters()), Budget(steps=1))
    return folder


def test_a_run_goes_on_only_with_the_network_that_it_trained(stopped):
    stopped.write_config({'size': 3, 'scale': (1, 2)})
    with pytest.raises(ValueError, match=r'another network \(scale\); give the options'):
        stopped.write_config({'size': 3, 'scale': (1, 1)})
    model = nn.Linear(4, 2)
    rest = Ema(model), torch.optim.AdamW(model.parameters()), Budget(steps=1)
    with pytest.raises(ValueError, match=r'last\.safetensors is of another network'):
        stopped.resume(model, *rest)


@pytest.mark.parametrize('damage', ['empty', 'half', 'weights alone'])
def test_a_file_that_is_no_state_is_told_by_its_name(stopped, damage):
    whole = stopped.state_path.read_bytes()
    alone = safetensors.torch.save({'weight': torch.ones(2)})
    content = {'empty': b'', 'half': whole[: len(whole) // 2], 'weights alone': alone}[damage]
    stopped.state_path.write_bytes(content)
    with pytest.raises(ValueError, match=r'last\.safetensors is no state of a training'):
        stopped.read()


def test_the_log_has_one_object_a_line(tmp_path):
    folder = RunFolder(tmp_path / 'new')
    folder.log(step=1, loss=0.5)
    folder.log(step=2, pck=0.1)
    lines = (tmp_path / 'new' / 'log.jsonl').read_text().splitlines()
    assert [json.loads(line)['step'] for line in lines] == [1, 2]


TWO_PROCESSES = """
import torch
from torch import nn
from diffpose_ros.train.loop import average_gradients, Budget, join_others
torch.set_num_threads(1)
rank = join_others(torch.device('cpu'))
model = nn.Linear(2, 1, bias=False)
nn.init.ones_(model.weight)
model(torch.tensor([[1.0, 10.0 * rank]])).sum().backward()
average_gradients(model)
now = [0.0]
budget = Budget(minutes=1, clock=lambda: now[0])
now[0] = 6.0 if rank else 12.0
budget.advance()
print(model.weight.grad.tolist(), budget.elapsed_s)
"""


def test_two_processes_average_their_gradients_and_agree_on_the_time(as_a_team):
    answers = as_a_team(TWO_PROCESSES)
    assert answers == ['[[1.0, 5.0]] 9.0'] * 2
