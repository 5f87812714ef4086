"""Damaged recordings are processed as far as they can be read, or refused in words."""

from diffpose_ros.core.config import PipelineConfig
from diffpose_ros.offline.bag import open_bag
from diffpose_ros.offline.jobs import Job, Settings
from diffpose_ros.offline.recording import read_recording
from diffpose_ros.offline.schedule import run_one
from diffpose_ros.ros.bag_job import BagRecording
from fuzzing import cases, damaged, survives
import pytest
from recordings import make, record
from rosbags.rosbag2 import StoragePlugin, Writer
from rosbags.typesys import get_typestore, Stores


def flipped(data, rng):
    """Return bytes of which a few have one bit changed: nothing is moved."""
    out = bytearray(data)
    for at in rng.integers(len(out), size=int(rng.integers(1, 40))):
        out[at] ^= 1 << int(rng.integers(8))
    return bytes(out)


def opened(bag, out):
    return BagRecording.open(bag, None, None, False, out)


def process(bag):
    """Read all images, and copy the bag."""
    recording = opened(bag, bag.with_name('copy.mcap'))
    assert all(frame.image.ndim == 3 for _, frame in recording.frames(0, 2**63 - 1))
    recording.write(lambda: iter(()))


@pytest.fixture(scope='module')
def bags(tmp_path_factory):
    """Return a bag of a camera in both formats, and what `diffpose bag` made of it."""
    folder = tmp_path_factory.mktemp('bags')
    whole = record(folder / 'in.mcap', count=3)
    run_one(Job(opened(whole, folder / 'people.mcap'), Settings(PipelineConfig())), make)
    with Writer(folder / 'sqlite', version=9, storage_plugin=StoragePlugin.SQLITE3) as copy:
        store, topics = get_typestore(Stores.ROS2_JAZZY), {}
        with open_bag(whole) as bag:
            for c in bag.connections:
                topics[c.topic] = copy.add_connection(c.topic, c.msgtype, typestore=store)
            for c, time_ns, cdr in bag.messages():
                copy.write(topics[c.topic], time_ns, cdr)
    return {'mcap': whole, 'db3': folder / 'sqlite/sqlite.db3', 'people': folder / 'people.mcap'}


@pytest.mark.parametrize(
    ('name', 'work'), [('mcap', process), ('db3', process), ('people', read_recording)]
)
@pytest.mark.parametrize('harm', [damaged, flipped])
def test_damaged_bags_are_processed_or_refused(bags, tmp_path, name, work, harm):
    whole = bags[name].read_bytes()
    path = tmp_path / f'damaged{bags[name].suffix}'

    def case(rng):
        path.write_bytes(harm(whole, rng))
        work(path)

    answered = [survives(lambda rng=rng: case(rng)) for rng in cases(200)]
    assert 0 < sum(answered) < 200
    assert not [left for left in tmp_path.iterdir() if left.name.startswith('.')]
