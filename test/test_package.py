"""The ROS package as a robot builds it: colcon, this package.xml, this CMakeLists.txt."""

import ast
import os
from pathlib import Path
import shutil
import subprocess
import sys

import pytest

pytestmark = pytest.mark.ros
pytest.importorskip('colcon_core')

MADE_HERE = ('.*', 'build', 'install', 'log', 'demo_out', 'runs', '__pycache__', '*.egg-info')
ROOT = Path(__file__).parent.parent
COLCON = 'import sys; from colcon_core.command import main; sys.exit(main(command_name="colcon"))'


def wheels_environment() -> dict[str, str]:
    return {'CMAKE_PREFIX_PATH': sys.prefix, 'AMENT_PREFIX_PATH': sys.prefix}


@pytest.fixture(scope='module')
def installed(tmp_path_factory) -> Path:
    """Build the whole package, not only the messages as `make setup` does, from a copy."""
    base = tmp_path_factory.mktemp('workspace')
    shutil.copytree(ROOT, base / 'src', ignore=shutil.ignore_patterns(*MADE_HERE))
    from_wheels = {} if 'ROS_DISTRO' in os.environ else wheels_environment()
    command = [
        *(sys.executable, '-c', COLCON, '--log-base', base / 'log', 'build'),
        *('--paths', base / 'src', '--build-base', base / 'build'),
        *('--install-base', base / 'install', '--cmake-args', '-DBUILD_TESTING=OFF'),
        f'-DPython3_EXECUTABLE={sys.executable}',
    ]
    result = subprocess.run(
        command,
        cwd=base,
        env={**os.environ, **from_wheels},
        capture_output=True,
        text=True,
    )
    assert result.returncode == 0, result.stderr
    return base / 'install' / 'diffpose_ros'


def test_the_installed_library_is_complete_and_holds_the_messages(installed):
    library = next(installed.glob('**/*-packages/diffpose_ros'))
    source = installed.parent.parent / 'src' / 'diffpose_ros'
    modules = {path.relative_to(source) for path in source.rglob('*.py')}
    assert modules <= {path.relative_to(library) for path in library.rglob('*.py')}
    assert (library / '__init__.py').read_text() == (source / '__init__.py').read_text()
    assert (library / 'msg' / '_skeleton_array.py').exists()


@pytest.mark.parametrize('name', ['diffpose', 'player', 'recorder'])
def test_ros2_run_finds_a_program_whose_main_exists(installed, name):
    program = installed / 'lib' / 'diffpose_ros' / name
    assert os.access(program, os.X_OK)
    imported = [n for n in ast.parse(program.read_text()).body if isinstance(n, ast.ImportFrom)]
    module = ROOT.joinpath(*imported[0].module.split('.')).with_suffix('.py')
    functions = [n.name for n in ast.parse(module.read_text()).body if hasattr(n, 'name')]
    assert imported[0].names[0].name in functions


@pytest.mark.parametrize('folder', ['config', 'demo', 'launch', 'models', 'msg'])
def test_the_data_lies_where_ros_looks_for_it(installed, folder):
    source = installed.parent.parent / 'src' / folder
    ours = {path.name for path in source.iterdir()}
    assert ours <= {
        path.name for path in (installed / 'share' / 'diffpose_ros' / folder).iterdir()
    }


def test_ament_lists_the_package(installed):
    index = installed / 'share' / 'ament_index' / 'resource_index'
    assert (index / 'packages' / 'diffpose_ros').exists()
    assert 'SkeletonArray' in (index / 'rosidl_interfaces' / 'diffpose_ros').read_text()
