"""What an attacker would look for: pickle, the network, paths from strangers, unknown licences."""

import ast
from pathlib import Path
import subprocess
import sys

import pytest

ROOT = Path(__file__).parent.parent
SOURCES = sorted((ROOT / 'diffpose_ros').rglob('*.py'))
NAMES = [str(path.relative_to(ROOT)) for path in SOURCES]
FORBIDDEN = ('pickle', 'dill', 'cloudpickle', 'joblib', 'shelve', 'marshal', 'urllib', 'requests')
FORBIDDEN_CALLS = ('eval', 'exec', 'yaml.load', 'os.system', 'torch.hub.load')
MAY_UNPICKLE = ('arrays.py',)  # into arrays alone: its Unpickler refuses everything else
MAY_OPEN_SOCKETS = ('processes.py',)  # it looks for a free ROS domain on this machine
OFFLINE = """
import sys
def refuse(event, arguments):
    if event in ('socket.connect', 'socket.getaddrinfo', 'socket.sendto', 'urllib.Request'):
        raise RuntimeError(f'network used: {event} {arguments}')
sys.addaudithook(refuse)
import numpy as np
from diffpose_ros.core.config import PipelineConfig
from diffpose_ros.core.people import Frame
from diffpose_ros.core.pipeline import PosePipeline
pipeline = PosePipeline.from_config(PipelineConfig(device='cpu'))
pipeline.step(Frame(np.full((96, 128, 3), 90, np.uint8), 0))
sys.exit(42)
"""

every_source = pytest.mark.parametrize('path', SOURCES, ids=NAMES)


def calls(path: Path) -> list[ast.Call]:
    return [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)]


def imported(path: Path) -> set[str]:
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name.split('.')[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module.split('.')[0])
    return names


@every_source
def test_nothing_that_runs_code_out_of_data_or_fetches_it_is_imported(path):
    allowed = {'pickle'} if path.name in MAY_UNPICKLE else set()
    assert not imported(path) & set(FORBIDDEN) - allowed
    if path.name not in MAY_OPEN_SOCKETS:
        assert 'socket' not in imported(path)


@every_source
def test_files_are_read_without_running_what_is_in_them(path):
    for call in calls(path):
        name = ast.unparse(call.func)
        given = {word.arg: ast.unparse(word.value) for word in call.keywords}
        assert name not in ('pickle.load', 'pickle.loads')
        assert name not in FORBIDDEN_CALLS, f'{path.name}:{call.lineno} {name}'
        assert name != 'torch.load' or given.get('weights_only') == 'True'
        assert given.get('allow_pickle', 'False') == 'False'
        assert given.get('shell', 'False') == 'False'


def test_the_networks_load_and_run_with_the_network_refused():
    done = subprocess.run([sys.executable, '-c', OFFLINE], capture_output=True, text=True)
    assert done.returncode == 42, done.stderr


def test_the_list_of_licences_names_every_requirement():
    listed = (ROOT / 'docs' / 'licences.md').read_text()
    wanted = [
        line.split('#')[0].strip().split('>=')[0].split('==')[0]
        for line in (ROOT / 'requirements' / 'runtime.txt').read_text().splitlines()
    ]
    missing = [name for name in wanted if name and f'| {name} |' not in listed]
    assert not missing, 'run tools/licences.py'
