from dataclasses import fields, is_dataclass, replace

from diffpose_ros.core.config import InferenceConfig, PipelineConfig, TrackConfig
import pytest


@pytest.mark.parametrize(
    ('make', 'text'),
    [
        (lambda: InferenceConfig(steps=0), r'steps = 0; set it between 1 and 100'),
        (lambda: InferenceConfig(hypotheses=101), r'hypotheses = 101; set it between 1 and 100'),
        (lambda: TrackConfig(timeout_s=-1.0), r'timeout_s = -1.0; set it between 0 and 10'),
        (lambda: replace(PipelineConfig(), max_people=0), r'max_people = 0'),
        (lambda: InferenceConfig(steps=float('nan')), 'steps = nan'),
    ],
)
def test_a_value_outside_its_range_is_refused_with_the_range(make, text):
    with pytest.raises(ValueError, match=text):
        make()


def settings(config):
    for spec in fields(config):
        value = getattr(config, spec.name)
        yield from settings(value) if is_dataclass(value) else [(spec, value)]


@pytest.mark.parametrize(
    ('spec', 'value'),
    [pytest.param(s, v, id=s.name) for s, v in settings(PipelineConfig())],
)
def test_every_setting_says_what_it_means_and_numbers_have_a_range(spec, value):
    assert spec.metadata['description']
    if isinstance(value, int | float):
        assert spec.metadata['low'] <= value <= spec.metadata['high']


def test_a_height_that_nobody_has_is_refused():
    with pytest.raises(ValueError, match=r'person_height_m = 0\.1; set it from 0\.5'):
        PipelineConfig(person_height_m=0.1)
