"""
Make .venv ready: packages, the library and its messages; called by tools/setup.

Each step leaves a stamp with a hash of what it was made from, written last. A step whose stamp
fits is skipped, so a second run costs a moment and an interrupted one goes on where it stopped.
"""

import argparse
import fcntl
import hashlib
from importlib.metadata import version
import importlib.util
import os
from pathlib import Path
import re
import shutil
import subprocess
import sys
import sysconfig
from typing import TextIO

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / '.venv'
STATE = VENV / '.setup'
PYTHON = VENV / 'bin' / 'python'
ROS_IS_SOURCED = bool(os.environ.get('ROS_DISTRO') and os.environ.get('AMENT_PREFIX_PATH'))
CXX = os.environ.get('CXX', 'c++')
REQUIREMENTS = ROOT / 'requirements'
NEEDED_GB = 8  # torch with its CUDA libraries 5.5, the rest 1.5, room for unpacking
IMPORTED_AS = {
    'opencv-python-headless': 'cv2',
    'PyYAML': 'yaml',
    'colcon-common-extensions': 'colcon_core',
}
COLCON = 'import sys; from colcon_core.command import main; sys.exit(main(command_name="colcon"))'
USE_MESSAGES = (
    'from diffpose_ros.msg import SkeletonArray; SkeletonArray.__class__.__import_type_support__()'
)


def main() -> None:
    """Run the steps that are not up to date."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--dev', action='store_true', help='also install what the tests need')
    args = parser.parse_args()
    os.environ.pop('_ROS_WHEELS_BOOTSTRAP_COMPLETE', None)  # of another .venv, if set
    with open(__file__) as lock:
        take(lock)
        make_venv()
        step('packages', packages_key(), install_packages)
        step('library', hash_of(ROOT / 'setup.py', ROOT / 'package.xml'), install_library)
        step('messages', messages_key(), build_messages)
        if args.dev:
            step('dev', hash_of(*requirement_files('dev')), install_dev)


def take(lock: TextIO) -> None:
    """Let a second run at the same time wait for the first."""
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        report('setup: waiting for another set-up of this checkout ...')
        fcntl.flock(lock, fcntl.LOCK_EX)


def fail(message: str) -> None:
    """Stop with one line."""
    sys.exit(f'setup: {message}')


def hash_of(*parts: 'Path | str') -> str:
    """Hash files by content, and strings."""
    digest = hashlib.sha256()
    for part in parts:
        digest.update(part.read_bytes() if isinstance(part, Path) else part.encode())
        digest.update(b'\0')
    return digest.hexdigest()


def requirement_files(*names: str) -> list:
    """Return requirements/<name>.txt and the versions that belong to them."""
    return [REQUIREMENTS / f'{n}.txt' for n in (*names, 'constraints', 'jazzy-constraints')]


def packages_key() -> str:
    return hash_of(*requirement_files('runtime', 'jazzy'))


def messages_key() -> str:
    sources = [ROOT / 'CMakeLists.txt', ROOT / 'package.xml', *sorted((ROOT / 'msg').glob('*'))]
    ros = [REQUIREMENTS / 'jazzy.txt', REQUIREMENTS / 'jazzy-constraints.txt']
    return hash_of(*(str(path) for path in sources), *sources, *ros)


def step(name: str, key: str, action) -> None:
    """Run action unless it has succeeded with the same key."""
    stamp = STATE / name
    if stamp.exists() and stamp.read_text() == key:
        return
    stamp.unlink(missing_ok=True)
    report(f'setup: {name} ...')
    action()
    unfinished = stamp.with_suffix('.new')
    unfinished.write_text(key)
    unfinished.replace(stamp)


def report(line: str) -> None:
    print(line, flush=True)


def run(name: str, command: list, remedy: str, **environment: str) -> None:
    """Run a command, its output in .venv/.setup/<name>.log; on failure show the end of that."""
    log = STATE / f'{name}.log'
    with log.open('w') as out:
        code = subprocess.run(
            [str(part) for part in command],
            cwd=ROOT,
            env={**os.environ, **environment},
            stdout=out,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
        ).returncode
    if code:
        report(''.join(log.read_text(errors='replace').splitlines(True)[-15:]))
        fail(f'{name} failed (all of it: {log}): {remedy}')


def pip_install(name: str, *arguments: 'Path | str') -> None:
    run(
        name,
        [PYTHON, '-m', 'pip', 'install', '--disable-pip-version-check', *arguments],
        'pip could not get a package; check the network and the disk and run make again',
    )


# Environment -------------------------------------------------------------------------------------


def make_venv() -> None:
    """Create .venv, or keep the one that is there if it fits."""
    key = f'{ROOT} {"ros" if ROS_IS_SOURCED else "pypi"}'
    if venv_fits(key):
        return
    check_machine()
    if VENV.exists():
        report('setup: .venv is unfinished, moved or made for another ROS: making it anew')
        shutil.rmtree(VENV)
    report(f'setup: .venv with Python {sysconfig.get_python_version()} ...')
    site = ['--system-site-packages'] if ROS_IS_SOURCED else []
    subprocess.run([sys.executable, '-m', 'venv', *site, str(VENV)], check=True)
    STATE.mkdir()
    (STATE / 'venv').write_text(key)


def venv_fits(key: str) -> bool:
    """Tell whether .venv works; one that somebody else made for this checkout is taken over."""
    stamp = STATE / 'venv'
    if stamp.exists():
        return stamp.read_text() == key and PYTHON.exists()
    if ROS_IS_SOURCED or not PYTHON.exists():
        return False
    test = 'import sys, pip; sys.exit(not (3, 10) <= sys.version_info[:2] <= (3, 13))'
    if subprocess.run([str(PYTHON), '-c', test], capture_output=True).returncode:
        return False
    STATE.mkdir(exist_ok=True)
    stamp.write_text(key)
    return True


def check_machine() -> None:
    """Stop with the remedy where something is missing that pip cannot install."""
    if not all(importlib.util.find_spec(name) for name in ('venv', 'ensurepip')):
        fail(f'{sys.executable} cannot make environments: sudo apt install python3-venv')
    if not Path(sysconfig.get_path('include'), 'Python.h').exists():
        fail(f'{sys.executable} has no headers (Python.h): sudo apt install python3-dev')
    if not compiles():
        fail(f'no working C++ compiler (tried {CXX}): sudo apt install g++')
    free = shutil.disk_usage(ROOT).free / 1e9
    if free < NEEDED_GB:
        fail(f'{free:.1f} GB free in {ROOT}, {NEEDED_GB} GB needed: make room, or clone elsewhere')


def compiles() -> bool:
    """Tell whether a C++ program can be compiled and linked."""
    command = [CXX, '-x', 'c++', '-', '-o', os.devnull]
    source = b'#include <vector>\nint main() { return std::vector<int>(1)[0]; }\n'
    try:
        return subprocess.run(command, input=source, capture_output=True).returncode == 0
    except OSError:
        return False


# Packages ----------------------------------------------------------------------------------------


def install_packages() -> None:
    if ROS_IS_SOURCED:
        install_beside_ros()
        return
    arguments = ['-r', REQUIREMENTS / 'runtime.txt', '-r', REQUIREMENTS / 'jazzy.txt']
    pip_install('packages', *arguments, *versions())
    relocate_cmake_exports()


def versions() -> list:
    """Arguments for pip that pin what requirement files leave open."""
    return ['-c', REQUIREMENTS / 'constraints.txt', '-c', REQUIREMENTS / 'jazzy-constraints.txt']


def install_beside_ros() -> None:
    """Install what the system does not have; its numpy stays, cv_bridge was compiled for it."""
    lines = (REQUIREMENTS / 'runtime.txt').read_text().splitlines()
    wanted = [re.sub(r'\s*#.*', '', line) for line in lines] + ['colcon-common-extensions']
    missing = [line for line in wanted if line and not importlib.util.find_spec(module_of(line))]
    keep = STATE / 'keep.txt'
    pins = (REQUIREMENTS / 'constraints.txt').read_text().splitlines()
    torch = next(line for line in pins if line.startswith('torch=='))
    keep.write_text(f'numpy=={version("numpy")}\n{torch}\n')
    pip_install('packages', 'pip', *missing, '-c', keep)


def module_of(requirement: str) -> str:
    """Return the name by which a requirement is imported."""
    name = re.split('[<>=]', requirement)[0]
    return IMPORTED_AS.get(name, name)


def relocate_cmake_exports() -> None:
    """Replace the Python that built the wheels by ours in the CMake files that they bring."""
    ask = 'from sysconfig import get_path; print(get_path("include")); print(get_path("purelib"))'
    include, site = subprocess.check_output([PYTHON, '-c', ask], text=True).splitlines()
    theirs = r'/opt/python/cp3\d+-cp3\d+'
    for path in VENV.glob('share/*/cmake/**/*.cmake'):
        text = path.read_text()
        ours = re.sub(theirs + r'/include/python3\.\d+', include, text)
        ours = re.sub(theirs + r'/lib/python3\.\d+/site-packages', site, ours)
        if ours != text:
            unfinished = path.with_suffix('.new')
            unfinished.write_text(ours)
            unfinished.replace(path)


def install_library() -> None:
    pip_install('library', '--no-deps', '--no-build-isolation', '-e', ROOT)


def install_dev() -> None:
    pip_install('dev', '-r', REQUIREMENTS / 'dev.txt', *versions())


# Messages ----------------------------------------------------------------------------------------


def build_messages() -> None:
    """Build the messages with colcon, as on a robot, and install them into .venv."""
    build = ROOT / 'build'
    shutil.rmtree(build / 'diffpose_ros', ignore_errors=True)  # may be another Python's
    variables = [] if ROS_IS_SOURCED else ['CMAKE_PREFIX_PATH', 'AMENT_PREFIX_PATH']
    run(
        'messages',
        [
            *(PYTHON, '-c', COLCON, '--log-base', build / 'log'),
            *('build', '--paths', ROOT, '--build-base', build),
            *('--install-base', VENV, '--merge-install'),
            *('--cmake-args', '-DBUILD_TESTING=OFF', '-DDIFFPOSE_MESSAGES_ONLY=ON'),
            f'-DPython3_EXECUTABLE={PYTHON}',
        ],
        'the message build stopped; run `make clean` and make again',
        MAKEFLAGS=f'-j{os.cpu_count()}',  # and not the variables of the make that called us
        **dict.fromkeys(variables, str(VENV)),
    )
    leave_one_package()
    run(
        'import',
        [PYTHON, '-c', USE_MESSAGES],
        'the messages do not load; run `make clean` and make again',
        LD_LIBRARY_PATH=f'{VENV}/lib:{os.environ.get("LD_LIBRARY_PATH", "")}',
    )


def leave_one_package() -> None:
    """
    Make the installed messages a mere extension of the package in the checkout.

    Without an __init__.py of its own, Python takes the directory as a part of diffpose_ros; the
    egg-info would be a second installation of that name in pip's eyes.
    """
    site = next((VENV / 'lib').glob('python3.*')) / 'site-packages'
    (site / 'diffpose_ros' / '__init__.py').unlink()
    for egg_info in site.glob('diffpose_ros-*.egg-info'):
        shutil.rmtree(egg_info)


if __name__ == '__main__':
    main()
