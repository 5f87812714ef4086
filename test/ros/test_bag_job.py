"""`diffpose bag`: every image answered, byte for byte the same whatever happens on the way."""

from functools import partial

from diffpose_ros.cli import main
from diffpose_ros.core.config import PipelineConfig
from diffpose_ros.core.share import find_shared
from diffpose_ros.msg import InferenceInfo
from diffpose_ros.offline.bag import BagWriter, open_bag, read_bag
from diffpose_ros.offline.jobs import Job, Settings, Task, Worker
from diffpose_ros.offline.recording import read_recording, TIMING_TOPIC
from diffpose_ros.offline.schedule import run_one
from diffpose_ros.offline.video import VideoReader
from diffpose_ros.ros.bag_job import BagRecording
from mcap.reader import make_reader
from mcap_ros2.decoder import DecoderFactory
import numpy as np
import pytest
from rclpy.serialization import serialize_message
from recordings import (
    BASE_NS,
    COMPRESSED,
    compressed,
    image,
    IMAGES,
    INFO,
    make,
    RAW,
    record,
    spots,
)
from rosbags.rosbag2 import StoragePlugin, Writer
from rosbags.typesys import get_types_from_msg, get_typestore, Stores
from sensor_msgs.msg import CameraInfo

ADDED = {'/diffpose/skeletons', '/diffpose/markers', '/diffpose/skeleton_info'}


@pytest.fixture(scope='module')
def bag(tmp_path_factory):
    return record(tmp_path_factory.mktemp('bag') / 'in.mcap')


def job_of(bag, folder, topic=None, timing=False):
    folder.mkdir(exist_ok=True)
    recording = BagRecording.open(bag, topic, None, False, folder / 'out.mcap', timing)
    return Job(recording, Settings(PipelineConfig()))


def processed(bag, folder, topic=None):
    job = job_of(bag, folder, topic)
    run_one(job, make)
    assert [path.name for path in folder.iterdir()] == ['out.mcap']
    return job.recording.out


@pytest.fixture(scope='module')
def out(bag, tmp_path_factory):
    return processed(bag, tmp_path_factory.mktemp('out'))


def raw(path):
    with open_bag(path) as reader:
        return [(c.topic, c.msgtype, t, bytes(cdr)) for c, t, cdr in reader.messages()]


def test_the_original_messages_are_there_unchanged_and_in_order(bag, out):
    assert [message for message in raw(out) if message[0] not in ADDED] == raw(bag)


def test_every_image_is_answered_with_its_stamp_and_frame(out):
    arrays = [m for _, _, m in read_bag(out, {'/diffpose/skeletons'})]
    times = [(m.header.stamp.sec, m.header.stamp.nanosec) for m in arrays]
    assert times == [(BASE_NS // 10**9 + i // 2, i % 2 * 500_000_000) for i in range(IMAGES)]
    assert {m.header.frame_id for m in arrays} == {'camera_optical'}
    assert {(m.image_width, m.image_height) for m in arrays} == {(64, 48)}
    assert [m.frame_seq for m in arrays] == list(range(1, IMAGES + 1))
    assert {m.inference.degraded for m in arrays} == {0}, 'the calibration was not found'


def test_a_camera_that_was_never_calibrated_is_answered_as_the_node_does(tmp_path, caplog):
    def nothing(width, height):
        return CameraInfo(width=width, height=height)

    bag = record(tmp_path / 'in.mcap', count=70, calibrate=nothing)  # two segments
    out = processed(bag, tmp_path / 'out')
    arrays = [m for _, _, m in read_bag(out, {'/diffpose/skeletons'})]
    assert {m.inference.degraded for m in arrays} == {InferenceInfo.DEGRADED_NO_CAMERA_INFO}
    assert caplog.text.count('camera_info is all zero; calibrate the camera') == 1


def test_people_keep_their_ids_across_segments_until_they_are_lost(out):
    frames = read_recording(out).frames
    ids = [[p.track_id for p in frame.result.people] for frame in frames]
    assert ids == [['b0001']] * 70 + [[]] * 2 + [['b0002']] * (IMAGES - 72)
    assert [i for i, f in enumerate(frames) if f.result.lost] == [70]


def test_an_independent_reader_decodes_what_was_added(out):
    with out.open('rb') as file:
        reader = make_reader(file, decoder_factories=[DecoderFactory()])
        messages = {c.topic: m for _, c, _, m in reader.iter_decoded_messages(topics=ADDED)}
    assert set(messages) == ADDED
    (skeleton,) = messages['/diffpose/skeletons'].skeletons
    assert len(skeleton.hypotheses) == 3
    assert {m.ns for m in messages['/diffpose/markers'].markers} >= {'joints', 'bones', 'sigma'}
    assert len(messages['/diffpose/skeleton_info'].joint_names) == 17


def test_a_second_run_gives_the_same_bytes(bag, out, tmp_path):
    assert processed(bag, tmp_path / 'again').read_bytes() == out.read_bytes()


def test_another_order_of_the_segments_gives_the_same_bytes(bag, out, tmp_path):
    job = job_of(bag, tmp_path)
    for segment in reversed(job.start()):
        Worker(make, job.settings).do(Task(job, segment), lambda: None)
    run_one(job, pytest.fail)
    assert job.recording.out.read_bytes() == out.read_bytes()


@pytest.mark.parametrize('step', [1, 100])
def test_an_interrupted_run_leaves_no_output_and_goes_on_to_the_same_bytes(
    bag, out, tmp_path, step
):
    job = job_of(bag, tmp_path)
    with pytest.raises(KeyboardInterrupt):
        run_one(job, partial(make, interrupt_at=step))
    assert not job.recording.out.exists()
    run_one(job, make)
    assert job.recording.out.read_bytes() == out.read_bytes()


@pytest.fixture(scope='module')
def timed(bag, tmp_path_factory):
    """Return the output with times, of a run that was interrupted in the second segment."""
    job = job_of(bag, tmp_path_factory.mktemp('timed'), timing=True)
    with pytest.raises(KeyboardInterrupt):
        run_one(job, partial(make, interrupt_at=100))
    run_one(job, make)
    return job.recording.out


def test_on_request_every_image_has_its_times(out, timed):
    frames = read_recording(timed).frames
    assert len(frames) == IMAGES
    for frame in frames:
        stages = frame.stages_ms
        assert min(stages['decode'], stages['pose2d']) > 0
        assert stages['total'] == pytest.approx(stages['decode'] + stages['pose2d'])
        assert np.isnan(stages['age'])
    assert not any(frame.stages_ms for frame in read_recording(out).frames)


def test_only_the_times_are_added_on_request(out, timed):
    assert [message for message in raw(timed) if message[0] != TIMING_TOPIC] == raw(out)


def test_compressed_images_are_decoded(tmp_path, out):
    bag = record(tmp_path / 'in.mcap', compressed, COMPRESSED)
    ours = read_recording(processed(bag, tmp_path / 'out')).frames
    theirs = read_recording(out).frames
    boxes = [
        [[p.box for p in frame.result.people] for frame in frames] for frames in (ours, theirs)
    ]
    assert boxes[0] == boxes[1]


def test_sqlite_bags_are_read_as_well(bag, tmp_path, out):
    with Writer(tmp_path / 'in', version=9, storage_plugin=StoragePlugin.SQLITE3) as copy:
        store, topics = get_typestore(Stores.ROS2_JAZZY), {}
        for topic, kind, time_ns, cdr in raw(bag):
            if topic not in topics:
                topics[topic] = copy.add_connection(topic, kind, typestore=store)
            copy.write(topics[topic], time_ns, cdr)
    for source in (tmp_path / 'in', tmp_path / 'in' / 'in.db3'):
        ours = raw(processed(source, tmp_path / f'out_{source.suffix}'))
        assert sorted(ours) == sorted(raw(out))


def test_topics_of_types_that_nobody_here_knows_are_copied(tmp_path):
    store = get_typestore(Stores.EMPTY)
    store.register(get_types_from_msg('uint8 level', 'strange_msgs/msg/Strange'))
    with Writer(tmp_path / 'in', version=9, storage_plugin=StoragePlugin.MCAP) as bag:
        strange = bag.add_connection('/strange', 'strange_msgs/msg/Strange', typestore=store)
        images = bag.add_connection(
            RAW, 'sensor_msgs/msg/Image', typestore=get_typestore(Stores.ROS2_JAZZY)
        )
        bag.write(strange, 1, bytes([0, 1, 0, 0, 7]))
        bag.write(images, 2, bytes(serialize_message(image(0, spots(0)))))
    out = processed(tmp_path / 'in', tmp_path / 'out')
    assert ('/strange', 'strange_msgs/msg/Strange', 1, bytes([0, 1, 0, 0, 7])) in raw(out)
    (frame,) = read_recording(out).frames
    assert len(frame.result.people) == 1


def test_an_image_that_cannot_be_decoded_is_told_and_passed_over(tmp_path, caplog):
    def broken(i, pixels):
        msg = image(i, pixels)
        msg.encoding = 'nonsense' if i == 1 else 'rgb8'
        return msg

    out = processed(record(tmp_path / 'in.mcap', broken, count=3), tmp_path / 'out')
    assert [frame.sequence for frame in read_recording(out).frames] == [1, 3]
    assert 'nonsense' in caplog.text


def test_images_received_at_once_are_told_apart_by_their_stamps(tmp_path):
    path = tmp_path / 'in.mcap'
    with BagWriter(path) as bag:
        bag.add_topic(RAW, 'sensor_msgs/msg/Image')
        for i, encoding in enumerate(('rgb8', 'nonsense', 'rgb8')):
            msg = image(i, spots(i))
            msg.encoding = encoding
            bag.write(RAW, BASE_NS + min(i, 1), bytes(serialize_message(msg)))
    out = processed(path, tmp_path / 'out')
    assert [frame.sequence for frame in read_recording(out).frames] == [1, 3]
    stamps = [m.header.stamp for _, _, m in read_bag(out, {'/diffpose/skeletons'})]
    assert [s.sec * 10**9 + s.nanosec - BASE_NS for s in stamps] == [0, 10**9]


def test_a_bag_of_which_no_image_can_be_used_fails(tmp_path):
    def broken(i, pixels):
        msg = image(i, pixels)
        msg.encoding = 'nonsense'
        return msg

    bag = record(tmp_path / 'in.mcap', broken, count=2)
    with pytest.raises(ValueError, match='can be used; see above'):
        processed(bag, tmp_path / 'out')


def test_images_without_stamps_are_told_apart_by_their_reception(tmp_path):
    def unstamped(i, pixels):
        msg = image(i, pixels)
        msg.header.stamp.sec = msg.header.stamp.nanosec = 0
        return msg

    bag = record(tmp_path / 'in.mcap', unstamped, count=3)
    frames = [frame for _, frame in job_of(bag, tmp_path).recording.frames(0, 2**63 - 1)]
    received_ns = [BASE_NS + i * 500_000_000 + 20_000_000 for i in range(3)]
    assert [frame.stamp_ns for frame in frames] == received_ns
    arrays = read_bag(processed(bag, tmp_path / 'out'), {'/diffpose/skeletons'})
    assert [m.header.stamp.sec for _, _, m in arrays] == [0, 0, 0]


@pytest.mark.parametrize(
    ('words', 'complaint'),
    [
        (['nowhere.mcap', '-o', 'out.mcap'], 'no bag nowhere.mcap; give an .mcap'),
        (['{bag.parent}', '-o', 'out.mcap'], 'the folder with its metadata.yaml'),
        (['{blind}', '-o', 'out.mcap'], 'no image topic; give a bag that has'),
        (['{still}', '-o', 'out.mcap'], f'holds no images on {RAW}'),
        (['{bag}', '-o', 'out.bag'], 'NAME.mcap'),
        (['{bag}', '-o', 'out.mcap', '--topic', '/other'], RAW),
        (['{bag}', '-o', 'out.mcap', '--camera-info', '/other'], INFO),
        (['{out}', '-o', 'out.mcap'], 'give the original bag'),
        ([__file__, '-o', 'out.mcap'], 'not a readable bag'),
    ],
)
def test_a_mistake_of_the_user_is_told_in_one_line_with_code_2(
    words, complaint, bag, out, tmp_path, tmp_path_factory, monkeypatch, capsys
):
    with BagWriter(tmp_path_factory.mktemp('blind') / 'blind.mcap') as blind:
        blind.add_topic('/chatter', 'std_msgs/msg/String')
    with BagWriter(tmp_path_factory.mktemp('still') / 'still.mcap') as still:
        still.add_topic(RAW, 'sensor_msgs/msg/Image')
    monkeypatch.chdir(tmp_path)
    paths = {'bag': bag, 'out': out, 'blind': blind.path, 'still': still.path}
    assert main(['bag', *(word.format(**paths) for word in words)]) == 2
    told = capsys.readouterr().err
    assert complaint in told
    assert told.count('\n') == 1
    assert list(tmp_path.iterdir()) == []


def test_the_real_networks_give_the_same_bytes_twice(tmp_path):
    reader = VideoReader(find_shared('demo/walk.mp4'))
    views = [view for (_, view), _ in zip(reader, range(4), strict=False)]
    bag = record(tmp_path / 'in.mcap', count=4, view=views.__getitem__)
    for run in ('first', 'second'):
        assert main(['bag', str(bag), '-o', str(tmp_path / run / 'out.mcap')]) == 0
    first, second = (tmp_path / run / 'out.mcap' for run in ('first', 'second'))
    assert first.read_bytes() == second.read_bytes()
    assert read_recording(first).frames[-1].result.people


def test_an_output_in_the_folder_of_the_bag_is_refused(bag):
    with pytest.raises(ValueError, match='lies in the bag; name an output outside'):
        BagRecording.open(bag.parent, None, None, False, bag.parent / 'people.mcap')
