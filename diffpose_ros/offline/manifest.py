"""What is done, one JSON line per finished job, so that a restart skips it."""

import hashlib
import json
import os
from pathlib import Path

from diffpose_ros.offline.jobs import Job


class Manifest:
    """A file that only grows; a line that a crash cut short counts as not written."""

    def __init__(self, path: Path) -> None:
        self._path = path
        text = path.read_bytes() if path.is_file() else b''
        self._done = set(text.splitlines())
        self._torn = text[-1:] not in (b'', b'\n')

    def holds(self, job: Job) -> bool:
        """Tell whether this very job is done and its output as it was then."""
        return job.recording.out.is_file() and self._line(job) in self._done

    def add(self, job: Job) -> None:
        """Note that a job is done; it is on the disk when this returns."""
        line = self._line(job) + b'\n'
        with self._path.open('ab') as file:
            file.write(b'\n' + line if self._torn else line)
            self._torn = False
            file.flush()
            os.fsync(file.fileno())

    def _line(self, job: Job) -> bytes:
        out = job.recording.out
        described = json.dumps(job.describe(), sort_keys=True).encode()
        entry = {
            'out': str(out.relative_to(self._path.parent)),
            'bytes': out.stat().st_size,
            'job': hashlib.sha256(described).hexdigest(),
        }
        return json.dumps(entry).encode()
