"""ROS parameters out of the configuration dataclasses: one declaration, one validation."""

from collections.abc import Mapping
from typing import Any

from diffpose_ros.core.config import build, leaves, PipelineConfig
from diffpose_ros.ros.settings import NodeConfig
from rcl_interfaces.msg import (
    FloatingPointRange,
    IntegerRange,
    ParameterDescriptor,
    SetParametersResult,
)
from rclpy.exceptions import ParameterException
from rclpy.node import Node
from rclpy.parameter import Parameter

INT64_MAX = 2**63 - 1
FLOAT_MAX = 1.7e308


class Parameters:
    """The settings in force; a refused change leaves them as they are."""

    def __init__(self, node: Node) -> None:
        self.pipeline = PipelineConfig()
        self.node = NodeConfig()
        self._values: dict[str, Any] = {}
        for name, default, meta in (*leaves(self.pipeline), *leaves(self.node)):
            self._values[name] = _declare(node, name, default, meta)
        self.pipeline, self.node = self._build(self._values)
        node.add_on_set_parameters_callback(self._check)
        node.add_post_set_parameters_callback(self._apply)

    def _build(self, values: Mapping[str, Any]) -> tuple[PipelineConfig, NodeConfig]:
        return build(PipelineConfig, values), build(NodeConfig, values)

    def _check(self, parameters: list[Parameter]) -> SetParametersResult:
        try:
            self._build(self._values | self._ours(parameters))
        except ValueError as error:
            return SetParametersResult(successful=False, reason=str(error))
        return SetParametersResult(successful=True)

    def _apply(self, parameters: list[Parameter]) -> None:
        self._values |= self._ours(parameters)
        self.pipeline, self.node = self._build(self._values)

    def _ours(self, parameters: list[Parameter]) -> dict[str, Any]:
        return {p.name: p.value for p in parameters if p.name in self._values}


def descriptor(default: Any, meta: Mapping[str, Any]) -> ParameterDescriptor:
    """Return what `ros2 param describe` shows of a setting."""
    low, high, choices = meta['low'], meta['high'], meta['choices']
    ranges: dict[str, Any] = {}
    if low is not None and isinstance(default, float):
        to_value = FLOAT_MAX if high is None else float(high)
        ranges['floating_point_range'] = [
            FloatingPointRange(from_value=float(low), to_value=to_value)
        ]
    elif low is not None:
        to_value = INT64_MAX if high is None else int(high)
        ranges['integer_range'] = [IntegerRange(from_value=int(low), to_value=to_value)]
    return ParameterDescriptor(
        description=meta['description'],
        additional_constraints=f'one of {list(choices)}' if choices else '',
        read_only=not meta['dynamic'],
        dynamic_typing=isinstance(default, float),  # so that 1 is taken where 1.0 is meant
        **ranges,
    )


def _declare(node: Node, name: str, default: Any, meta: dict[str, Any]) -> Any:
    try:
        return node.declare_parameter(name, default, descriptor(default, meta)).value
    except ParameterException as error:
        raise ValueError(f'parameter {name}: {error}; {meta["description"]}') from error
