"""Fixtures for all tests: the same seeds, data beside the checkout, a ROS graph of our own."""

import os
from pathlib import Path
import random
import socket
import sys

from diffpose_ros.ros.processes import is_free
import numpy as np
import pytest

ROOT = Path(__file__).parent.parent
LOCK_PORT = 17410  # one port per domain, held as long as the tests run

sys.path.append(str(Path(__file__).parent))  # for fuzzing and walking


@pytest.fixture(autouse=True)
def seeds():
    """Start every test with the same random numbers."""
    import torch

    random.seed(0)
    np.random.seed(0)  # noqa: NPY002, for libraries that still use it
    torch.manual_seed(0)


@pytest.fixture(scope='session')
def small_config():
    """Return a 2D network that is fast to build and to run."""
    from diffpose_ros.video2d.network import NetworkConfig

    return NetworkConfig(
        crop_size=(48, 64),
        widths=(12, 16, 24),
        depths=(1, 1, 1),
        dim=16,
        strl_layers=2,
        decoder_layers=1,
        decoder_widths=(12, 8),
        heads=2,
    )


@pytest.fixture(scope='session')
def shared_data() -> Path:
    """Return the folder of the data that is not in this repository, or skip."""
    data = Path(os.environ.get('DIFFPOSE_SHARED', ROOT.parent / 'shared')) / 'data'
    if not data.is_dir():
        pytest.skip(f'no data in {data}; set DIFFPOSE_SHARED to the folder that holds data/')
    return data


@pytest.fixture(scope='session', autouse=True)
def ros_domain():
    """Choose a domain that no other graph here uses, for this process and its children."""
    lock, domain = reserve_domain()
    profile = str(ROOT / 'config' / 'fastdds.xml')
    with lock, pytest.MonkeyPatch.context() as patch:
        patch.setenv('ROS_DOMAIN_ID', str(domain))
        patch.setenv('ROS_AUTOMATIC_DISCOVERY_RANGE', 'LOCALHOST')
        patch.setenv('FASTRTPS_DEFAULT_PROFILES_FILE', profile)
        patch.setenv('FASTDDS_DEFAULT_PROFILES_FILE', profile)
        yield domain


def reserve_domain() -> tuple[socket.socket, int]:
    """Return a free domain and the socket that keeps other test runs from taking it."""
    for domain in range(1, 100):
        if not is_free(domain):
            continue
        lock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        try:
            lock.bind(('127.0.0.1', LOCK_PORT + domain))
        except OSError:
            lock.close()
            continue
        return lock, domain
    raise RuntimeError('all ROS domains from 1 to 99 are in use on this machine; stop some graph')
