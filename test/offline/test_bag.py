"""Bags, read back with Foxglove's reader, compared with what rosidl generated."""

from contextlib import suppress
import json

from diffpose_ros.core.share import find_shared, share_folders
from diffpose_ros.offline.bag import BagWriter, message_types, read_bag
from mcap.reader import make_reader
from mcap_ros2.decoder import DecoderFactory
import pytest
from rosbags.typesys import get_types_from_msg, get_typestore, Stores

TIMING = 'diffpose_ros/msg/FrameTiming'


def timing(total_ms: float, stamp_s: int = 7) -> bytes:
    """Return a serialised FrameTiming."""
    types = message_types().types
    header = types['std_msgs/msg/Header'](
        stamp=types['builtin_interfaces/msg/Time'](sec=stamp_s, nanosec=5), frame_id='camera'
    )
    message = types[TIMING](
        header=header,
        frame_seq=3,
        **{f'{name}_ms': 1.0 for name in 'age queue decode detect pose2d lift3d publish'.split()},
        total_ms=total_ms,
        budget_ms=0.0,
        deadline_missed=False,
        dropped_since_last=2,
    )
    return message_types().serialize_cdr(message, TIMING)


def write(path, count=3, latched=False):
    with BagWriter(path) as bag:
        bag.add_topic('/timing', TIMING, latched)
        for number in range(count):
            bag.write('/timing', 1000 + number, timing(number))
    return path


def test_an_independent_reader_decodes_every_message(tmp_path):
    with write(tmp_path / 'a.mcap').open('rb') as file:
        decoded = list(
            make_reader(file, decoder_factories=[DecoderFactory()]).iter_decoded_messages()
        )
    messages = [message for _, _, _, message in decoded]
    assert [message.total_ms for message in messages] == [0, 1, 2]
    assert messages[0].header.stamp.sec == 7
    assert messages[0].header.frame_id == 'camera'
    assert [record.log_time for _, _, record, _ in decoded] == [1000, 1001, 1002]


def test_the_file_is_as_rosbag2_writes_it(tmp_path):
    with write(tmp_path / 'a.mcap', latched=True).open('rb') as file:
        reader = make_reader(file)
        assert reader.get_header().profile == 'ros2'
        summary = reader.get_summary()
    (schema,), (channel,) = summary.schemas.values(), summary.channels.values()
    assert (schema.name, schema.encoding) == (TIMING, 'ros2msg')
    assert (channel.topic, channel.message_encoding) == ('/timing', 'cdr')
    assert 'transient_local' in channel.metadata['offered_qos_profiles']


def test_what_is_read_is_what_was_written(tmp_path):
    path = write(tmp_path / 'a.mcap')
    heard = list(read_bag(path, {'/timing', '/other'}))
    assert [(topic, ns, m.total_ms) for topic, ns, m in heard] == [
        ('/timing', 1000, 0),
        ('/timing', 1001, 1),
        ('/timing', 1002, 2),
    ]
    assert list(read_bag(path, {'/other'})) == []


def test_a_recording_of_an_older_version_is_read_by_the_definitions_of_then(tmp_path, monkeypatch):
    path = write(tmp_path / 'a.mcap')
    newer = get_typestore(Stores.ROS2_JAZZY)
    text = 'uint16 new_field\n' + find_shared('msg/FrameTiming.msg').read_text()
    newer.register(get_types_from_msg(text, TIMING))
    monkeypatch.setattr('diffpose_ros.offline.bag.message_types', lambda: newer)
    assert [m.total_ms for _, _, m in read_bag(path, {'/timing'})] == [0, 1, 2]


@pytest.mark.parametrize('count', [0, 2])
def test_a_bag_of_any_length_is_whole(tmp_path, count):
    assert len(list(read_bag(write(tmp_path / 'a.mcap', count), {'/timing'}))) == count


def test_a_recording_that_fails_leaves_nothing(tmp_path):
    with suppress(KeyboardInterrupt), BagWriter(tmp_path / 'a.mcap') as bag:
        bag.add_topic('/timing', TIMING)
        bag.write('/timing', 1, timing(1))
        raise KeyboardInterrupt
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_is_no_bag_is_refused(tmp_path):
    path = tmp_path / 'a.mcap'
    path.write_bytes(b'no bag')
    with pytest.raises(ValueError, match='not a readable bag'):
        list(read_bag(path, {'/timing'}))


def test_the_definitions_are_those_that_ros_generated():
    generated = [path for share in share_folders() for path in (share / 'msg').glob('*.json')]
    if not generated:
        pytest.skip('the messages are not built; run `make setup`')
    for path in generated:
        (own,) = [
            entry['hash_string']
            for entry in json.loads(path.read_text())['type_hashes']
            if entry['type_name'] == f'diffpose_ros/msg/{path.stem}'
        ]
        assert message_types().hash_rihs01(f'diffpose_ros/msg/{path.stem}') == own
