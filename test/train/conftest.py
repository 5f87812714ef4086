"""What tests of trainings share."""

import os
import socket
import subprocess
import sys

import pytest


@pytest.fixture
def as_a_team():
    """Run a script in two processes as torchrun would start them; return what each writes."""

    def start(script, *words):
        with socket.socket() as free:
            free.bind(('127.0.0.1', 0))
            port = free.getsockname()[1]
        common = {'WORLD_SIZE': '2', 'MASTER_ADDR': '127.0.0.1', 'MASTER_PORT': str(port)}
        pair = [
            subprocess.Popen(
                [sys.executable, '-c', script, *map(str, words)],
                env=os.environ | common | {'RANK': str(rank)},
                stdout=subprocess.PIPE,
                text=True,
            )
            for rank in range(2)
        ]
        return [process.communicate(timeout=300)[0].strip() for process in pair]

    return start
