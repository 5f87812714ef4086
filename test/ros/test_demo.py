"""The demo: three processes, real DDS; only the pipeline inside the node is a stand-in."""

from collections import Counter
from contextlib import redirect_stdout
from io import StringIO
import json
import os
from pathlib import Path
import re
import subprocess
import sys

from bystander import wait_for
from diffpose_ros.cli import main
from diffpose_ros.offline.recording import read_recording
from diffpose_ros.offline.video import VideoReader, VideoWriter
from diffpose_ros.ros import demo
from mcap.reader import make_reader
from mcap_ros2.decoder import DecoderFactory
import numpy as np
import pytest

pytestmark = [pytest.mark.ros, pytest.mark.usefixtures('standin')]

FPS, COUNT = 15, 30


def write_video(path: Path) -> Path:
    """Write two seconds of a VGA camera at 15 Hz; the brightness counts the images."""
    with VideoWriter(path, 640, 480) as writer:
        for number in range(COUNT):
            writer.write(number / FPS, np.full((480, 640, 3), 60 + 5 * number, np.uint8))
    return path


def run(out: Path, *arguments) -> int:
    """Run the demo with the stand-in; return its exit code."""
    return main(['demo', '--out', str(out), *map(str, arguments)])


@pytest.fixture
def video(tmp_path) -> Path:
    return write_video(tmp_path / 'clip.mp4')


@pytest.fixture(scope='module')
def finished(standin, tmp_path_factory):
    """Return folder, numbers and terminal output of a whole run."""
    folder = tmp_path_factory.mktemp('demo')
    with redirect_stdout(StringIO()) as said:
        assert run(folder / 'out', '--video', write_video(folder / 'clip.mp4')) == 0
    numbers = json.loads((folder / 'out' / 'summary.json').read_text())
    return folder / 'out', numbers, said.getvalue()


def is_running(pid: int) -> bool:
    try:
        return Path(f'/proc/{pid}/stat').read_text().split()[2] != 'Z'
    except FileNotFoundError:
        return False


def children() -> str:
    command = ['ps', '--ppid', str(os.getpid()), '-o', 'args=']
    text = subprocess.run(command, capture_output=True, text=True, check=False).stdout
    return '\n'.join(line for line in text.splitlines() if 'ps --ppid' not in line)


def test_at_vga_and_15_hz_no_image_is_lost_between_player_and_node(finished):
    _, numbers, said = finished
    assert 0.5 * FPS < numbers['input_fps'] < 1.1 * FPS  # a busy machine plays more slowly
    assert numbers['frames_published'] == numbers['frames_in'] == COUNT
    assert numbers['frames_processed'] + numbers['frames_dropped'] == COUNT
    assert numbers['frames_with_person'] == numbers['frames_processed'] > COUNT / 2
    assert re.search(r'frames in +30 of 30 sent, 0 lost', said)


def test_the_published_latency_is_what_the_recorder_sees_from_outside(finished):
    out, numbers, _ = finished
    frames = read_recording(out / 'skeletons.mcap').frames
    assert numbers['frames_with_timing'] == len(frames) == numbers['frames_processed']
    told_ms = np.array([frame.stages_ms['age'] + frame.stages_ms['total'] for frame in frames])
    seen_ms = np.array([(f.received_ns - f.result.stamp_ns) / 1e6 for f in frames])
    publish_ms = np.array([frame.stages_ms['publish'] for frame in frames])
    assert (seen_ms > told_ms - publish_ms - 1).all()  # markers go out after the skeletons
    assert (seen_ms - told_ms).min() < 10  # the way to the recorder is short


def test_it_leaves_the_results_and_the_logs_and_nothing_that_runs(finished):
    out, _, _ = finished
    assert {path.name for path in out.iterdir()} == {*demo.OUTPUTS, 'node.log', 'player.log'}
    assert children() == ''


def test_an_independent_reader_finds_all_topics_in_the_bag(finished):
    out, numbers, _ = finished
    with (out / 'skeletons.mcap').open('rb') as file:
        reader = make_reader(file, decoder_factories=[DecoderFactory()])
        counts = Counter(channel.topic for _, channel, _, _ in reader.iter_decoded_messages())
    assert counts['/camera_info'] == COUNT
    assert counts['/diffpose/skeleton_info'] == 1
    for name in ('skeletons', 'timing', 'markers'):
        assert counts[f'/diffpose/{name}'] == numbers['frames_processed']
    assert counts['/diagnostics']


def test_the_overlay_shows_every_processed_image_at_its_time_in_the_video(finished):
    out, numbers, _ = finished
    images = list(VideoReader(out / 'overlay.mp4'))
    assert len(images) == numbers['frames_processed']
    times_s = np.array([time_s for time_s, _ in images])
    brightness = np.array([np.median(image) for _, image in images])  # people cover less than half
    np.testing.assert_allclose(brightness - brightness[0], 5 * FPS * times_s, atol=4)


def test_without_a_calibration_the_assumed_field_of_view_is_told(finished):
    assert 'field of view of 60 degrees' in finished[2]


def test_a_node_that_dies_is_told_in_one_line(video, monkeypatch, capsys, tmp_path):
    monkeypatch.setattr(demo, 'NODE_MODULE', 'no_such_module')
    assert run(tmp_path / 'out', '--video', video) == 2
    error = capsys.readouterr().err.strip().split('\n')[-1]
    assert 'the node ended with exit code 1' in error
    assert 'No module named no_such_module' in error
    assert not set(demo.OUTPUTS) & {path.name for path in (tmp_path / 'out').iterdir()}
    assert children() == ''


def test_a_node_that_cannot_be_configured_is_told_in_one_line(
    video, monkeypatch, capsys, tmp_path
):
    monkeypatch.setattr(demo, 'node_arguments', lambda: ['--ros-args', '-p', 'inference.steps:=0'])
    assert run(tmp_path / 'out', '--video', video) == 2
    assert 'inference.steps' in capsys.readouterr().err
    assert children() == ''


@pytest.mark.parametrize(
    ('option', 'content', 'complaint'),
    [
        ('--video', None, 'no video'),
        ('--video', 'text', 'no readable video'),
        ('--camera', None, 'no calibration'),
        ('--camera', 'image_width: 3', 'not a camera calibration'),
    ],
)
def test_unusable_input_is_told_before_anything_starts(
    video, tmp_path, capsys, option, content, complaint
):
    path = tmp_path / 'input.yaml'
    if content is not None:
        path.write_text(content)
    assert run(tmp_path / 'out', '--video', video, option, path) == 2
    (line,) = capsys.readouterr().err.strip().split('\n')
    assert complaint in line


def test_the_domain_is_free_and_the_environment_is_restored(monkeypatch):
    monkeypatch.delenv('ROS_DOMAIN_ID')
    before = dict(os.environ)
    with demo.own_graph() as domain:
        assert 1 <= domain <= 101
        assert os.environ['ROS_DOMAIN_ID'] == str(domain)
        assert Path(os.environ['FASTDDS_DEFAULT_PROFILES_FILE']).name == 'fastdds.xml'
    assert dict(os.environ) == before


def test_children_end_with_their_parent(tmp_path):
    code = (
        'import os, time; from pathlib import Path;'
        'from diffpose_ros.ros.processes import Child;'
        f'child = Child("x", "http.server", ["0"], Path({str(tmp_path / "log")!r}));'
        'print(child._process.pid, flush=True); os.kill(os.getpid(), 9)'
    )
    done = subprocess.run(
        [sys.executable, '-c', code], capture_output=True, text=True, check=False
    )
    pid = int(done.stdout)
    wait_for(lambda: not is_running(pid))
