"""The ten lines that docs/subscribe.md shows, run as they stand there."""

from pathlib import Path
import re
import subprocess
import sys

from bystander import wait_for
import pytest
from standin_pipeline import person

pytestmark = pytest.mark.ros
START_S = 120  # on a busy machine
PAGE = Path(__file__).parents[2] / 'docs' / 'subscribe.md'


@pytest.fixture
def heard(tmp_path):
    """Return the file to which the listener of the page prints."""
    (code,) = re.findall(r'```python\n(.*?)```', PAGE.read_text(), re.DOTALL)
    out = tmp_path / 'heard'
    with out.open('w') as stdout:
        child = subprocess.Popen([sys.executable, '-u', '-c', code], stdout=stdout)
        yield out
        child.kill()
        child.wait()


def test_the_listener_in_python_tells_who_is_where(graph, heard):
    g = graph().bring_up()
    g.bystander.calibrate()

    def told():
        g.bystander.show()
        return heard.read_text()

    wait_for(lambda: '\n' in told(), START_S)
    assert heard.read_text().startswith('p1 [')
    skeletons = g.listen('skeletons')
    g.pipeline.people = []
    g.bystander.show()
    wait_for(lambda: any(s.track_state == s.TERMINATED for m in skeletons for s in m.skeletons))
    g.pipeline.people = [person('p2')]
    wait_for(lambda: 'p2 [' in told(), START_S)
