"""The time budget in the graph, on a device whose time passes only as the test says."""

from bystander import wait_for
from diffpose_ros.msg import InferenceInfo
import numpy as np
import pytest
from rclpy.parameter import Parameter
from standin_pipeline import person

pytestmark = pytest.mark.ros
WARN = b'\x01'
BUDGET_MS = 100.0
SETTINGS = {'inference.budget_ms': BUDGET_MS, 'inference.steps': 8, 'inference.ensembles': 1}
BUDGET, PEOPLE_CUT = InferenceInfo.DEGRADED_BUDGET, InferenceInfo.DEGRADED_PEOPLE_CUT


class SlowDevice:
    """A clock that stands still but for what the device does."""

    def __init__(self):
        self.now_s = 0.0

    def spend(self, ms):
        self.now_s += ms / 1000


class Player:
    """Shows image after image to a node on a slow device."""

    def __init__(self, graph, device):
        self.graph = graph
        self.skeletons, self.timing = graph.listen('skeletons'), graph.listen('timing')
        graph.pipeline.spend = device.spend

    def play(self, images, unit_ms):
        """Return the answers to so many images while a network pass costs unit_ms a person."""
        self.graph.pipeline.unit_ms = unit_ms
        before = len(self.timing)
        for n in range(before + 1, before + images + 1):
            self.graph.bystander.show(stamp_s=n / 10)
            wait_for(lambda n=n: len(self.timing) == len(self.skeletons) == n)
        return self.skeletons[before:], self.timing[before:]


@pytest.fixture
def player(graph, monkeypatch):
    """Return a player whose node has a budget, with every measured time from a slow device."""
    device = SlowDevice()
    monkeypatch.setattr('time.perf_counter', lambda: device.now_s)
    g = graph(settings=SETTINGS).bring_up()
    g.calibrate()
    return Player(g, device)


def test_a_slow_device_is_given_less_to_do_and_a_fast_one_everything(player):
    skeletons, _ = player.play(60, unit_ms=5)
    assert (skeletons[-1].inference.steps_2d, skeletons[-1].inference.degraded) == (8, 0)

    player.play(20, unit_ms=15)
    skeletons, timing = player.play(60, unit_ms=15)
    assert np.percentile([msg.total_ms for msg in timing], 95) <= BUDGET_MS
    used = skeletons[-1].inference
    assert 1 <= used.steps_2d < 8
    assert used.degraded == BUDGET

    skeletons, _ = player.play(100, unit_ms=5)
    assert (skeletons[-1].inference.steps_2d, skeletons[-1].inference.degraded) == (8, 0)


def test_every_answer_says_its_budget_and_whether_it_was_missed(player):
    _, fast = player.play(5, unit_ms=5)
    _, slow = player.play(5, unit_ms=40)
    assert {msg.budget_ms for msg in fast + slow} == {BUDGET_MS}
    assert not any(msg.deadline_missed for msg in fast)
    assert all(msg.deadline_missed for msg in slow)


def test_a_budget_that_cannot_be_held_is_a_warning_that_counts_the_misses(player):
    player.play(12, unit_ms=40)
    assert 'the budget 100 ms' in player.graph.wait_for_level('inference', WARN)
    status = player.graph.bystander.diagnostics[-1].status[1]
    values = {item.key: item.value for item in status.values}
    assert (values['budget_ms'], values['budget misses']) == ('100', '12')


def test_people_are_cut_last_and_those_tracked_longest_stay(player):
    player.graph.pipeline.people = [person(f'p{n}') for n in range(1, 4)]
    skeletons, _ = player.play(30, unit_ms=15)
    assert skeletons[-1].inference.degraded == BUDGET | PEOPLE_CUT
    assert [s.track_id for s in skeletons[-1].skeletons] == ['p1']
    assert skeletons[-1].inference.steps_2d == 1


def test_the_budget_can_be_lifted_while_the_node_runs(player):
    skeletons, _ = player.play(5, unit_ms=15)
    assert skeletons[-1].inference.steps_2d == 1
    player.graph.node.set_parameters([Parameter('inference.budget_ms', value=0.0)])
    skeletons, timing = player.play(2, unit_ms=15)
    assert (skeletons[-1].inference.steps_2d, skeletons[-1].inference.degraded) == (8, 0)
    assert (timing[-1].budget_ms, timing[-1].deadline_missed) == (0, False)
