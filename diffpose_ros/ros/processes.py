"""A ROS graph of its own on this machine: environment, and child processes that never stay."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
import ctypes
import os
from pathlib import Path
import random
import signal
import socket
import subprocess
import sys

from diffpose_ros.core.share import find_shared

NODE_MODULE = 'diffpose_ros.ros.node'
START_S = 180.0  # until the node has loaded its networks
QUIET_S = 5.0  # after the last image: longer than the node needs for one
DOMAINS = range(1, 102)  # beyond, DDS ports run into those that the system gives to others
PR_SET_PDEATHSIG = 1
STOP_S = 5.0
PAGE_MB = os.sysconf('SC_PAGE_SIZE') / 2**20
CLOCK_TICKS = os.sysconf('SC_CLK_TCK')

_libc = ctypes.CDLL(None)


class Child:
    """A Python module as a process, its output in a log file; ends when its parent ends."""

    def __init__(self, name: str, module: str, arguments: list[str], log: Path) -> None:
        self.name = name
        self.log = log
        with log.open('wb') as output:
            self._process = subprocess.Popen(
                [sys.executable, '-m', module, *arguments],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C reaches the parent, which stops the children
                preexec_fn=_end_with_parent,
            )

    @property
    def pid(self) -> int:
        """Number of the process."""
        return self._process.pid

    def ended(self) -> bool:
        """Say whether the process ended well; ChildProcessError when it failed."""
        code = self._process.poll()
        if code:
            words = self.last_words()
            raise ChildProcessError(f'{self.name} ended with exit code {code}: {words}')
        return code is not None

    def expect_alive(self) -> None:
        """Raise ChildProcessError when the process has ended, well or not."""
        if self.ended():
            raise ChildProcessError(f'{self.name} ended too early: {self.last_words()}')

    def stop(self) -> None:
        """End the process, gently if it listens."""
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGKILL):
            if self._process.poll() is None:
                self._process.send_signal(number)
                try:
                    self._process.wait(STOP_S)
                except subprocess.TimeoutExpired:
                    continue

    def last_words(self, lines: int = 1) -> str:
        """Return the end of what the process said, in one line."""
        text = self.log.read_text(errors='replace')
        said = [line.strip() for line in text.split('\n') if line.strip()]
        return f'{" ".join(said[-lines:]) or "nothing said"} (all of it: {self.log})'


def usage(pid: int) -> dict[str, float]:
    """Return memory (MiB), threads, open files and CPU time (s) of a process."""
    proc = Path(f'/proc/{pid}')
    stat = (proc / 'stat').read_text().rpartition(')')[2].split()
    return {
        'rss_mb': int((proc / 'statm').read_text().split()[1]) * PAGE_MB,
        'threads': len(list((proc / 'task').iterdir())),
        'files': len(list((proc / 'fd').iterdir())),
        'cpu_s': (int(stat[11]) + int(stat[12])) / CLOCK_TICKS,
    }


@contextmanager
def own_graph() -> Iterator[int]:
    """
    Give this process and its children a ROS domain of their own, on this machine only.

    The domain is ROS_DOMAIN_ID where that is set, otherwise one that nobody uses. It is yielded.
    """
    domain = int(os.environ.get('ROS_DOMAIN_ID', '') or free_domain())
    profile = str(find_shared('config/fastdds.xml'))
    with _environment(
        {
            'ROS_DOMAIN_ID': str(domain),
            'ROS_AUTOMATIC_DISCOVERY_RANGE': 'LOCALHOST',
            'FASTDDS_DEFAULT_PROFILES_FILE': profile,
            'FASTRTPS_DEFAULT_PROFILES_FILE': profile,
        }
    ):
        yield domain


def free_domain() -> int:
    """Return a random ROS domain in which no participant runs on this machine."""
    candidates = list(DOMAINS)
    random.shuffle(candidates)
    for domain in candidates:
        if is_free(domain):
            return domain
    raise OSError('every ROS domain is in use; set ROS_DOMAIN_ID to the one to share')


def is_free(domain: int) -> bool:
    """Say whether no participant of a ROS domain runs on this machine."""
    port = 7410 + 250 * domain  # of the first participant, by the DDSI-RTPS standard
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        try:
            udp.bind(('', port))
        except OSError:
            return False
    return True


@contextmanager
def _environment(variables: Mapping[str, str]) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def _end_with_parent() -> None:
    _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
