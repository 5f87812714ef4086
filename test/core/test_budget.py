"""The budget controller on a made-up device: known costs, noise, loads that come and go."""

from dataclasses import dataclass, field, replace

from diffpose_ros.core.budget import (
    BudgetController,
    EFFORT,
    ladder,
    with_cuts,
)
from diffpose_ros.core.config import InferenceConfig, PipelineConfig
from diffpose_ros.core.people import Box, FrameResult, InferenceInfo, Person, TrackState
from diffpose_ros.video2d.estimator import VideoEstimator
from hypothesis import assume, given, settings
from hypothesis import strategies as st
import numpy as np
import pytest

RICH = InferenceConfig(steps=8, ensembles=4, lift_steps=5, hypotheses=20, budget_ms=200.0)
SETTINGS = (*EFFORT, 'window')
reproducibly = settings(max_examples=12, deadline=None, derandomize=True, database=None)


@dataclass
class Device:
    """What each part of the work costs, in ms; `speed` 2 = everything takes twice as long."""

    fixed: float = 10.0
    person_2d: float = 10.0
    pass_2d: float = 5.0
    image_2d: float = 1.0
    person_3d: float = 3.0
    pass_3d: float = 0.5
    noise: float = 0.05
    slowness: float = 1.0
    rng: np.random.Generator = field(default_factory=lambda: np.random.default_rng(0))

    def run(self, config, people):
        """Return result, times of the stages and total of one image."""
        info, seen = inference_info(config, people), min(people, config.max_people)
        images = info.window * VideoEstimator.views(info.ensembles)
        passes = info.steps * info.ensembles
        pose2d = seen * (self.person_2d + self.image_2d * images + self.pass_2d * passes)
        lift3d = seen * (self.person_3d + self.pass_3d * info.lift_steps * info.hypotheses)
        costs = np.array([self.fixed, pose2d, lift3d]) * self.slowness
        costs *= np.exp(self.noise * self.rng.normal(size=3))
        somebody = Person('p', TrackState.CONFIRMED, 1.0, Box(0, 0, 1, 1))
        stages = {'pose2d': costs[1], 'lift3d': costs[2]}
        return FrameResult(0, (somebody,) * seen, info), stages, costs.sum()


def inference_info(config, people=0):
    inference = config.inference
    efforts = {name: getattr(inference, name) for name in SETTINGS}
    cut = {'PEOPLE_CUT'} if people > config.max_people else ()
    return InferenceInfo(**efforts, window_frames=27, model_id='m@1', degraded=frozenset(cut))


def play(controller, device, config, people=1, frames=300):
    """Return the latencies and the configurations of so many images."""
    totals, used = [], []
    for _ in range(frames):
        used.append(controller.choose(config))
        *outcome, total_ms = device.run(used[-1], people)
        controller.learn(*outcome, total_ms)
        totals.append(total_ms)
    return np.array(totals), used


def configured(inference=RICH, max_people=10, **changes):
    return PipelineConfig(inference=replace(inference, **changes), max_people=max_people)


def effort(config):
    return [getattr(config.inference, name) for name in SETTINGS] + [config.max_people]


devices = st.builds(
    Device,
    fixed=st.floats(1, 30),
    person_2d=st.floats(0, 40),
    pass_2d=st.floats(0.5, 40),
    image_2d=st.floats(0, 20),
    person_3d=st.floats(0, 10),
    pass_3d=st.floats(0.01, 2),
    noise=st.floats(0, 0.1),
)
efforts = st.builds(
    InferenceConfig,
    steps=st.integers(1, 20),
    ensembles=st.integers(1, 8),
    lift_steps=st.integers(1, 10),
    hypotheses=st.integers(1, 30),
    budget_ms=st.floats(50, 500),
)


@reproducibly
@given(device=devices, inference=efforts, people=st.integers(1, 6))
def test_a_budget_that_can_be_held_is_held_by_95_of_100_images(device, inference, people):
    config = configured(inference)
    *_, least_ms = device.run(ladder(config)[0], people)
    assume(1.5 * least_ms < inference.budget_ms)
    controller = BudgetController()
    play(controller, device, config, people, 60)
    totals, _ = play(controller, device, config, people, 200)
    assert np.mean(totals > inference.budget_ms) <= 0.05


@reproducibly
@given(device=devices, inference=efforts, people=st.integers(1, 6))
def test_effort_stays_between_the_least_and_what_is_configured(device, inference, people):
    config = configured(inference)
    _, used = play(BudgetController(), device, config, people, 100)
    assert np.min([effort(c) for c in used]) >= 1
    assert (np.max([effort(c) for c in used], axis=0) <= effort(config)).all()


@reproducibly
@given(device=devices, inference=efforts, more=st.floats(1.1, 4))
def test_a_larger_budget_never_gets_less(device, inference, more):
    device = replace(device, noise=0.0)
    larger = min(5000.0, more * inference.budget_ms)
    little, much = (
        play(BudgetController(), device, configured(inference, budget_ms=budget_ms))[1][-1]
        for budget_ms in (inference.budget_ms, larger)
    )
    assert (np.array(effort(much)) >= effort(little)).all()


def test_without_a_budget_everything_is_computed_as_configured():
    config = configured(budget_ms=0.0)
    assert play(BudgetController(), Device(), config, people=5)[1] == [config] * 300


def test_an_ample_budget_ends_with_everything_that_is_configured():
    config = configured(budget_ms=5000.0)
    assert play(BudgetController(), Device(), config)[1][-1] == config


def test_the_first_image_gets_the_least_effort_for_everybody():
    assert effort(BudgetController().choose(configured())) == [1, 1, 1, 1, 1, 10]


def test_effort_goes_down_within_a_few_images_when_the_device_gets_slow():
    controller, device, config = BudgetController(), Device(), configured()
    play(controller, device, config)
    device.slowness = 3.0
    totals, _ = play(controller, device, config)
    assert (totals[:10] > 200).any()
    assert (totals[10:] <= 200).all()


def test_effort_comes_back_when_the_load_vanishes():
    controller, device, config = BudgetController(), Device(), configured()
    before = play(controller, device, config)[1][-1]
    device.slowness = 3.0
    loaded = play(controller, device, config)[1][-1]
    device.slowness = 1.0
    after = play(controller, device, config)[1][-1]
    assert effort(loaded) < effort(before)
    assert effort(after) >= effort(before)


def test_effort_does_not_flicker_under_a_steady_load():
    controller, device, config = BudgetController(), Device(noise=0.1), configured()
    play(controller, device, config, people=2)
    _, used = play(controller, device, config, people=2, frames=500)
    assert np.count_nonzero(np.diff([effort(c) for c in used], axis=0).any(axis=1)) <= 5


def test_people_are_cut_last():
    rungs = ladder(configured())
    with_fewer = [rung for rung in rungs if rung.max_people < 10]
    assert rungs[: len(with_fewer)] == with_fewer
    assert {tuple(effort(rung)[:-1]) for rung in with_fewer} == {(1, 1, 1, 1, 1)}


def test_the_window_is_cut_first():
    *below, full = ladder(configured())
    assert {rung.inference.window for rung in below} == {1}
    assert replace(below[-1].inference, window=3) == full.inference


def test_rungs_rise_in_small_steps_to_what_is_configured():
    rungs = np.array([effort(rung) for rung in ladder(configured())])
    rises = np.diff(rungs, axis=0)
    assert (rises >= 0).all()
    assert ((rises > 0).sum(axis=1) == 1).all()
    assert rungs[-1].tolist() == [8, 4, 5, 20, 3, 10]


def test_people_are_cut_only_when_the_least_effort_for_all_is_too_much():
    device = Device()
    controller = BudgetController()
    _, used = play(controller, device, configured(budget_ms=150.0), people=5)
    assert effort(used[-1])[-1] == 10
    _, used = play(controller, device, configured(budget_ms=60.0), people=5)
    assert effort(used[-1]) == [1, 1, 1, 1, 1, 2]


def test_people_come_back_when_there_is_time_again():
    controller, device, config = BudgetController(), Device(), configured(budget_ms=150.0)
    device.slowness = 3.0
    assert effort(play(controller, device, config, people=5)[1][-1])[-1] < 5
    device.slowness = 1.0
    assert effort(play(controller, device, config, people=5)[1][-1])[-1] == 10


def test_a_budget_that_cannot_be_held_gets_the_least():
    _, used = play(BudgetController(), Device(), configured(budget_ms=5.0), people=5)
    assert effort(used[-1]) == [1, 1, 1, 1, 1, 1]


def test_people_are_not_given_up_where_that_wins_nothing():
    device = Device(fixed=500.0, person_2d=1.0, pass_2d=1.0, person_3d=1.0)
    _, used = play(BudgetController(), device, configured(budget_ms=100.0), people=5)
    assert {c.max_people for c in used} == {10}


def test_rare_hiccups_do_not_cut_people():
    controller, device, config = BudgetController(), Device(), configured()
    used = []
    for frame in range(300):
        device.fixed = 800.0 if frame % 10 == 0 else 10.0
        used += play(controller, device, config, people=3, frames=1)[1]
    assert {c.max_people for c in used} == {10}


def test_an_empty_scene_changes_nothing():
    controller, device, config = BudgetController(), Device(), configured()
    before = play(controller, device, config)[1][-1]
    assert {*play(controller, device, config, people=0)[1][1:]} == {before}


def test_new_settings_are_followed_at_once():
    controller, device = BudgetController(), Device()
    play(controller, device, configured(budget_ms=5000.0))
    smaller = configured(steps=2, hypotheses=1, budget_ms=5000.0)
    assert (np.array(effort(controller.choose(smaller))) <= effort(smaller)).all()
    off = configured(budget_ms=0.0)
    assert controller.choose(off) is off


@pytest.mark.parametrize(
    ('used', 'people', 'told'),
    [
        ({}, 3, set()),
        ({'steps': 1}, 3, {'BUDGET'}),
        ({'max_people': 2}, 1, set()),
        ({'max_people': 2}, 3, {'BUDGET', 'PEOPLE_CUT'}),
    ],
)
def test_the_result_says_what_was_cut(used, people, told):
    used = configured(**used)
    result = FrameResult(0, (), inference_info(used, people))
    assert with_cuts(result, used, configured()).info.degraded == told
