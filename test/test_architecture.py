"""The house rules of diffpose_ros: who may import whom, and how long things may get."""

import ast
from pathlib import Path
from statistics import median, quantiles

import pytest

PACKAGE = Path(__file__).parent.parent / 'diffpose_ros'
SOURCES = sorted(PACKAGE.rglob('*.py'))
NAMES = [str(path.relative_to(PACKAGE.parent)) for path in SOURCES]
ROS = ('rclpy', 'rcl_interfaces', 'tf2', 'tf_transformations', 'cv_bridge', 'message_filters')
ROS_TOOLS = ('launch', 'ament_index_python', 'rosbag2_py', 'builtin_interfaces', 'rosidl_')
# core/ has two floors: these at the bottom of the house, the rest above both models
NOUNS = (
    *('skeleton', 'people', 'camera', 'crop', 'clip', 'config', 'checkpoint', 'files', 'share'),
    *('gaussian', 'light', 'replay'),
)
FLOORS = {
    'core': 0,
    'diffusion': 1,
    'video2d': 2,
    'lift3d': 2,
    'upper core': 3,
    'data': 4,
    'offline': 4,
    'evaluate': 5,
    'ros': 6,
    'train': 6,
    'cli': 7,
}

every_source = pytest.mark.parametrize('path', SOURCES, ids=NAMES)


def imports(path: Path) -> list[str]:
    """List what a file imports as absolute dotted names, `from a import b` as a.b."""
    here = path.relative_to(PACKAGE.parent).with_suffix('').parts
    names = []
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            above = '.'.join(here[: len(here) - node.level]) if node.level else ''
            base = '.'.join(part for part in (above, node.module) if part)
            names += [f'{base}.{alias.name}' for alias in node.names]
    return names


def room(name: str) -> str:
    """Return the room of a dotted name inside diffpose_ros."""
    parts = [*name.split('.')[1:], '', '']
    if parts[0] == 'core' and parts[1] not in ('', '__init__', *NOUNS):
        return 'upper core'
    return parts[0]


def own_room(path: Path) -> str:
    return room('.'.join(path.relative_to(PACKAGE.parent).with_suffix('').parts))


def is_ros(name: str) -> bool:
    first = name.split('.')[0]
    own = name.startswith(('diffpose_ros.msg', 'diffpose_ros.ros'))
    return own or first.startswith(ROS + ROS_TOOLS) or first.endswith('_msgs')


def functions(path: Path) -> list[tuple[str, ast.FunctionDef]]:
    found = (ast.FunctionDef, ast.AsyncFunctionDef)
    return [
        (f'{path.name}:{node.lineno} {node.name}', node)
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, found)
    ]


def length(node: ast.FunctionDef) -> int:
    """Count the lines of a function, docstring not included."""
    doc = node.body[0] if ast.get_docstring(node) else None
    return node.end_lineno - node.lineno + 1 - (doc.end_lineno - doc.lineno + 1 if doc else 0)


@every_source
def test_only_the_ros_room_knows_ros(path):
    if own_room(path) == 'ros':
        return
    ros = [name for name in imports(path) if is_ros(name)]
    if own_room(path) == 'cli':  # the command may start the nodes, not speak ROS itself
        ros = [name for name in ros if not name.startswith('diffpose_ros.ros')]
    assert not ros, f'{path.name} imports {ros}; move that code to diffpose_ros/ros/'


@every_source
def test_imports_point_down(path):
    floor = FLOORS.get(own_room(path), 0)
    ours = [name for name in imports(path) if name.startswith('diffpose_ros.')]
    upward = [name for name in ours if FLOORS.get(room(name), 0) > floor]
    assert not upward, f'{path.name} ({own_room(path)}) imports from a higher floor: {upward}'


@every_source
def test_rooms_on_one_floor_do_not_know_each_other(path):
    own = own_room(path)
    beside = {name for name, floor in FLOORS.items() if floor == FLOORS.get(own)} - {own}
    assert not beside & {room(name) for name in imports(path) if name.startswith('diffpose_ros.')}


def test_every_room_has_a_floor():
    rooms = {path.name for path in PACKAGE.iterdir() if list(path.glob('*.py'))}
    assert rooms <= set(FLOORS), 'name the new room in FLOORS'


@pytest.mark.parametrize(
    ('line', 'expected'),
    [
        ('import rclpy.node', True),
        ('from sensor_msgs.msg import Image', True),
        ('from ..ros import convert', True),
        ('from diffpose_ros.msg import Skeleton', True),
        ('from .. import msg', True),
        ('import rosbags.rosbag2', False),
        ('from diffpose_ros.core import people', False),
        ('import torch', False),
    ],
)
def test_the_ros_rule_sees_what_it_should(tmp_path, monkeypatch, line, expected):
    path = tmp_path / 'diffpose_ros' / 'core' / 'planted.py'
    path.parent.mkdir(parents=True)
    path.write_text(line)
    monkeypatch.setitem(globals(), 'PACKAGE', tmp_path / 'diffpose_ros')
    assert any(is_ros(name) for name in imports(path)) is expected


@every_source
def test_no_file_is_longer_than_300_lines(path):
    lines = len(path.read_text().splitlines())
    assert lines <= 300


@every_source
def test_no_function_is_longer_than_a_screen(path):
    networks = own_room(path) in ('video2d', 'lift3d', 'upper core')
    limit = {'__init__': 80 if networks else 50}
    too_long = [
        f'{name}: {length(node)}'
        for name, node in functions(path)
        if length(node) > limit.get(node.name, 50)
    ]
    assert not too_long


def test_functions_are_short_as_a_rule():
    lengths = [length(node) for path in SOURCES for _, node in functions(path)]
    assert median(lengths) <= 8
    assert quantiles(lengths, n=10)[-1] <= 20
