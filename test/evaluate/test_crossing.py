"""The packaged models on the packaged clip of two people who hide each other twice."""

import json

from diffpose_ros.cli import main
from diffpose_ros.core.share import find_shared


def test_two_people_who_cross_keep_their_ids(tmp_path):
    video, labels = (str(find_shared(f'demo/crossing.{kind}')) for kind in ('mp4', 'npz'))
    out = tmp_path / 'crossing.json'
    assert main(['evaluate', 'clip', '--video', video, '--labels', labels, '--out', str(out)]) == 0
    figures = json.loads(out.read_text())
    assert figures['id_switches'] == 0
    assert figures['detection_rate'] > 0.85
