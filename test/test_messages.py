"""The messages: complete, documented, and loadable without sourcing anything."""

from pathlib import Path

from diffpose_ros.core.people import JointState, ScaleSource, TrackState
import pytest

FILES = sorted((Path(__file__).parent.parent / 'msg').glob('*.msg'))


def fields(path: Path) -> list[str]:
    lines = (line.strip() for line in path.read_text().splitlines())
    return [line for line in lines if line and not line.startswith('#')]


def test_the_build_knows_every_message():
    build = (FILES[0].parent.parent / 'CMakeLists.txt').read_text()
    assert [path.name for path in FILES if f'msg/{path.name}' not in build] == []


@pytest.mark.parametrize('path', FILES, ids=lambda path: path.stem)
def test_every_field_says_what_it_holds(path):
    bare = [line for line in fields(path) if not line.partition('#')[2].strip()]
    assert bare == []


@pytest.mark.parametrize('path', FILES, ids=lambda path: path.stem)
def test_every_variable_array_says_when_it_is_empty_or_how_long_it_is(path):
    arrays = [line for line in fields(path) if '[]' in line.split()[0]]
    words = ('may be empty', 'J values', 'per joint', 'J names', 'pairs')
    assert [line for line in arrays if not any(word in line for word in words)] == []


@pytest.mark.ros
def test_the_constants_are_the_numbers_that_the_library_uses():
    pytest.importorskip('rclpy')
    from diffpose_ros.msg import InferenceInfo, Skeleton

    bits = ('BUDGET', 'CPU_FALLBACK', 'NO_CAMERA_INFO', 'LOW_RATE', 'PEOPLE_CUT', 'TF')
    bits += ('NO_DEPTH', 'NO_DETECTIONS')
    for kind, prefix in ((TrackState, ''), (JointState, 'JOINT_'), (ScaleSource, 'SCALE_')):
        assert [getattr(Skeleton, prefix + number.name) for number in kind] == list(kind)
    assert [getattr(InferenceInfo, f'DEGRADED_{name}') for name in bits] == [
        2**n for n in range(8)
    ]
