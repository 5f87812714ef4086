"""The set-up: what is missing is said in one line, what was interrupted is done again."""

import importlib.util
import os
from pathlib import Path
import shutil
import subprocess
import sys
import sysconfig

import pytest

ROOT = Path(__file__).parent.parent


@pytest.fixture
def checkout(tmp_path):
    """Copy what the set-up needs to a folder without .venv."""
    for name in ('tools', 'requirements', 'msg'):
        shutil.copytree(ROOT / name, tmp_path / name)
    return tmp_path


@pytest.fixture
def setup(checkout):
    """Load tools/setup.py as it runs in that folder."""
    spec = importlib.util.spec_from_file_location('set_up', checkout / 'tools' / 'setup.py')
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module.STATE.mkdir(parents=True)
    return module


def run_setup(checkout: Path, **environment: str) -> str:
    """Run tools/setup, which is expected to refuse, and return what it says."""
    clean = {k: v for k, v in os.environ.items() if k not in ('ROS_DISTRO', 'AMENT_PREFIX_PATH')}
    result = subprocess.run(
        [checkout / 'tools' / 'setup'],
        env={**clean, 'PYTHON': sys.base_prefix + '/bin/python3', **environment},
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert result.returncode == 1
    return result.stderr


@pytest.fixture
def bare_path(tmp_path) -> Path:
    """Return a folder for PATH with little in it: no Python, unless a test adds one."""
    folder = tmp_path / 'bin'
    folder.mkdir()
    for tool in ('sh', 'dirname', 'uname'):
        (folder / tool).symlink_to(shutil.which(tool))
    return folder


def test_a_missing_compiler_is_told_in_one_line(checkout):
    said = run_setup(checkout, CXX='/no/compiler')
    assert said.count('\n') == 1
    assert 'no working C++ compiler (tried /no/compiler): sudo apt install g++' in said


def test_a_python_that_has_no_wheels_is_told_in_one_line(checkout, bare_path):
    (bare_path / 'python3').write_text('#!/bin/sh\nexit 1\n')
    (bare_path / 'python3').chmod(0o755)
    said = run_setup(checkout, PATH=str(bare_path), PYTHON='')
    assert said.count('\n') == 1
    assert 'no Python 3.10 to 3.13 found' in said


def test_a_ros_whose_python_is_not_in_use_is_told_in_one_line(checkout, bare_path):
    said = run_setup(checkout, PATH=str(bare_path), ROS_DISTRO='jazzy', AMENT_PREFIX_PATH='/ros')
    assert said.count('\n') == 1
    assert 'ROS jazzy is sourced, but python3 cannot import rclpy' in said


def test_another_architecture_is_sent_to_a_ros_installation(checkout, bare_path):
    (bare_path / 'uname').unlink()
    (bare_path / 'uname').write_text('#!/bin/sh\necho Linux aarch64\n')
    (bare_path / 'uname').chmod(0o755)
    said = run_setup(checkout, PATH=str(bare_path))
    assert said.count('\n') == 1
    assert 'install ROS 2 Jazzy, source its setup.bash' in said


def test_too_small_a_disk_is_told_in_one_line(setup, monkeypatch):
    monkeypatch.setattr(setup, 'NEEDED_GB', 10**9)
    with pytest.raises(SystemExit, match=r'GB free in .*, 1000000000 GB needed'):
        setup.check_machine()


def test_a_step_that_succeeded_is_not_repeated(setup):
    calls = []
    for _ in range(2):
        setup.step('build', 'same key', lambda: calls.append(1))
    assert len(calls) == 1
    setup.step('build', 'another key', lambda: calls.append(1))
    assert len(calls) == 2


def test_a_step_that_was_interrupted_is_done_again(setup):
    def interrupted():
        raise KeyboardInterrupt

    calls = []
    setup.step('build', 'key', lambda: calls.append(1))
    with pytest.raises(KeyboardInterrupt):
        setup.step('build', 'new key', interrupted)
    setup.step('build', 'key', lambda: calls.append(1))
    assert len(calls) == 2


def test_a_changed_message_makes_the_messages_stale(setup, checkout):
    shutil.copy(ROOT / 'CMakeLists.txt', checkout)
    shutil.copy(ROOT / 'package.xml', checkout)
    before = setup.messages_key()
    assert setup.messages_key() == before
    with (checkout / 'msg' / 'Skeleton.msg').open('a') as message:
        message.write('uint8 more\n')
    assert setup.messages_key() != before


def test_paths_of_the_wheels_build_machine_become_ours(setup, monkeypatch):
    monkeypatch.setattr(setup, 'PYTHON', sys.executable)
    exports = setup.VENV / 'share' / 'some_msgs' / 'cmake' / 'export.cmake'
    exports.parent.mkdir(parents=True)
    theirs = '/opt/python/cp311-cp311'
    exports.write_text(f'{theirs}/include/python3.11;{theirs}/lib/python3.11/site-packages/numpy')
    setup.relocate_cmake_exports()
    header, package = exports.read_text().split(';')
    assert (Path(header) / 'Python.h').exists()
    assert Path(package) == Path(sysconfig.get_path('purelib'), 'numpy')
