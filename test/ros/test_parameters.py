"""Parameters: declared from the dataclasses, refused with a reason, harmless when refused."""

from dataclasses import asdict

from diffpose_ros.core.config import PipelineConfig
from diffpose_ros.core.share import find_shared
from diffpose_ros.ros.parameters import build, leaves
from diffpose_ros.ros.settings import NodeConfig
import pytest
from rcl_interfaces.srv import SetParameters
from rclpy.parameter import Parameter
import yaml

ALL = {
    name: (value, meta)
    for kind in (PipelineConfig, NodeConfig)
    for name, value, meta in leaves(kind())
}


def flat(tree: dict, prefix: str = '') -> dict:
    """Return the leaves of nested mappings by dotted name."""
    return {
        dotted: leaf
        for name, value in tree.items()
        for dotted, leaf in (
            flat(value, f'{prefix}{name}.') if isinstance(value, dict) else {prefix + name: value}
        ).items()
    }


def test_the_shipped_file_says_the_defaults():
    told = yaml.safe_load(find_shared('config/diffpose.yaml').read_text())
    told = flat(told['/**']['ros__parameters'])
    assert told == {name: ALL[name][0] for name in told}
    assert {name for name in ALL if name.startswith('inference.')} <= set(told)


def test_no_two_settings_share_a_name():
    count = sum(1 for kind in (PipelineConfig, NodeConfig) for _ in leaves(kind()))
    assert len(ALL) == count


def test_building_from_the_leaves_gives_the_same_configuration():
    values = {name: value for name, (value, _) in ALL.items()}
    assert build(PipelineConfig, values) == PipelineConfig()
    assert asdict(build(NodeConfig, values)) == asdict(NodeConfig())


def test_every_setting_is_a_parameter_that_describes_itself(graph):
    node = graph().node
    for name, (default, meta) in ALL.items():
        told = node.describe_parameter(name)
        assert node.get_parameter(name).value == default
        assert told.description == meta['description']
        assert told.read_only is not meta['dynamic']
        limits = [*told.integer_range, *told.floating_point_range]
        assert bool(limits) is (meta['low'] is not None), name
        if limits:
            assert limits[0].from_value == meta['low']


@pytest.mark.parametrize(
    ('name', 'value', 'reason'),
    [
        ('inference.steps', 0, 'out of range'),
        ('inference.steps', 2.5, 'wrong parameter type'),
        ('detector.score_threshold', 1.5, 'out of range'),
        ('detector.score_threshold', 3, 'between 0 and 1'),
        ('detector.score_threshold', 'high', 'give a number'),
        ('markers.sigma', -1.0, 'out of range'),
        ('markers.hypotheses', 1, 'wrong parameter type'),
        ('device', 'cuda', 'read-only'),
        ('image_transport', 'theora', 'read-only'),
    ],
)
def test_a_wrong_value_is_refused_with_a_reason_and_changes_nothing(graph, name, value, reason):
    g = graph()
    node, before = g.node, g.settings
    (result,) = node.set_parameters([Parameter(name, value=value)])
    assert not result.successful
    assert reason in result.reason.lower()
    assert g.settings == before
    assert node.get_parameter(name).value == ALL[name][0]


def test_the_same_holds_over_the_service(graph):
    g = graph()
    wanted = [Parameter('inference.steps', value=n).to_parameter_msg() for n in (3, 1000)]
    answer = g.call(SetParameters, 'set_parameters', parameters=wanted)
    assert [result.successful for result in answer.results] == [True, False]
    assert g.settings.pipeline.inference.steps == 3


@pytest.mark.parametrize(
    ('name', 'value', 'told'),
    [
        ('inference.steps', 0, 'inference.steps'),
        ('inference.steps', 'many', 'inference.steps'),
        ('detector.score_threshold', 'high', 'detector.score_threshold'),
        ('image_transport', 'theora', "one of \\['raw', 'compressed'\\]"),
    ],
)
def test_a_wrong_start_value_is_refused_as_well(graph, name, value, told):
    with pytest.raises(ValueError, match=told):
        graph(settings={name: value})


def test_a_whole_number_is_taken_where_a_fraction_is_meant(graph):
    g = graph(settings={'markers.sigma': 1})
    assert g.settings.node.markers.sigma == 1.0
    (result,) = g.node.set_parameters([Parameter('markers.sigma', value=3)])
    assert result.successful
    assert g.settings.node.markers.sigma == 3.0
