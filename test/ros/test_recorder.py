"""The recorder in a real graph: what was said is in the file."""

import signal
import sys
from types import SimpleNamespace

from bystander import process, wait_for, wait_for_answer
from diffpose_ros.core.skeleton import H36M_17
from diffpose_ros.msg import FrameTiming, SkeletonArray, SkeletonInfo
from diffpose_ros.offline.bag import BagWriter
from diffpose_ros.offline.recording import read_recording, to_person
from diffpose_ros.ros import topics
from diffpose_ros.ros.convert import skeleton, skeleton_info
from diffpose_ros.ros.recorder import Recorder
from mcap.reader import make_reader
from mcap_ros2.decoder import DecoderFactory
import numpy as np
import pytest
from rcl_interfaces.srv import GetParameters
from rclpy.duration import Duration
from rclpy.node import Node
from rclpy.time import Time
from standin_pipeline import J, person
from std_msgs.msg import Header

pytestmark = pytest.mark.ros
START_S, END_S = 120, 30  # on a busy machine


class Speaker(Node):
    """Says what the pose node says."""

    def __init__(self, **arguments):
        super().__init__('diffpose', **arguments)
        self.people = self.create_publisher(SkeletonArray, topics.SKELETONS, topics.results())
        self.timing = self.create_publisher(FrameTiming, topics.TIMING, topics.results())
        info = self.create_publisher(SkeletonInfo, topics.SKELETON_INFO, topics.latched())
        info.publish(skeleton_info(H36M_17))

    def say(self, seq: int):
        header = Header(frame_id='camera', stamp=Time(nanoseconds=seq * 100_000_000).to_msg())
        self.people.publish(
            SkeletonArray(
                header=header,
                skeleton_id=H36M_17.name,
                frame_seq=seq,
                skeletons=[skeleton(person(seed=seq), J, hypotheses=True)],
            )
        )
        self.timing.publish(FrameTiming(header=header, frame_seq=seq, total_ms=float(seq)))


@pytest.fixture
def speaker(context, executor):
    node = Speaker(context=context)
    executor.add_node(node)
    return node


@pytest.fixture
def recorded(speaker, context, executor, tmp_path):
    """Return the file that a recorder has made of three frames."""
    path, heard = tmp_path / 'a.mcap', []
    with BagWriter(path) as bag:
        recorder = Recorder(bag, lambda topic, cdr: heard.append(topic), context=context)
        executor.add_node(recorder)
        wait_for(lambda: speaker.people.get_subscription_count())
        wait_for(lambda: speaker.timing.get_subscription_count())
        wait_for(lambda: '/diffpose/skeleton_info' in heard)
        for seq in (1, 2, 3):
            speaker.say(seq)
        wait_for(lambda: len(heard) == 7)
        executor.remove_node(recorder)
        recorder.destroy_node()
    return path


def test_an_independent_reader_finds_every_message(recorded):
    with recorded.open('rb') as file:
        reader = make_reader(file, decoder_factories=[DecoderFactory()])
        said = [(channel.topic, msg) for _, channel, _, msg in reader.iter_decoded_messages()]
    assert sorted(topic for topic, _ in said) == [
        '/diffpose/skeleton_info',
        *['/diffpose/skeletons'] * 3,
        *['/diffpose/timing'] * 3,
    ]
    by_seq = {m.frame_seq: m for topic, m in said if topic == '/diffpose/skeletons'}
    np.testing.assert_array_equal(
        np.float32(by_seq[2].skeletons[0].x), np.float32(person(seed=2).pose2d.xy[:, 0])
    )


def test_what_was_said_before_it_came_and_is_latched_is_in_it(recorded):
    with recorded.open('rb') as file:
        reader = make_reader(file, decoder_factories=[DecoderFactory()])
        (info,) = [
            msg for *_, msg in reader.iter_decoded_messages(topics=['/diffpose/skeleton_info'])
        ]
    assert info.joint_names == list(H36M_17.joints)


def test_people_come_back_as_they_were(recorded):
    recording = read_recording(recorded)
    assert recording.skeleton == H36M_17
    assert [frame.sequence for frame in recording.frames] == [1, 2, 3]
    assert [frame.stages_ms['total'] for frame in recording.frames] == [1, 2, 3]
    (got,), want = recording.frames[1].result.people, person(seed=2)
    assert (got.track_id, got.track_state, got.age_s) == ('p1', want.track_state, want.age_s)
    for name in ('xy', 'covariance', 'score'):
        np.testing.assert_allclose(
            getattr(got.pose2d, name), getattr(want.pose2d, name), rtol=1e-6
        )
    covariances = 'covariance', 'relative_covariance', 'root_covariance'
    for name in ('xyz', *covariances, 'hypotheses', 'weights', 'state'):
        np.testing.assert_allclose(
            getattr(got.pose3d, name), getattr(want.pose3d, name), rtol=1e-5, atol=1e-8
        )


def test_people_of_recordings_before_the_relative_covariance_are_read_without_it():
    message = skeleton(person(), J, hypotheses=True)
    names = message.get_fields_and_field_types().keys() - {'relative_covariance'}
    got = to_person(SimpleNamespace(**{name: getattr(message, name) for name in names})).pose3d
    assert np.isnan(got.relative_covariance).all()
    np.testing.assert_array_equal(got.state, person().pose3d.state)


def ask_recorder(speaker):
    """Return when the recorder has answered a question, thus has written what it got before."""
    client = speaker.create_client(GetParameters, '/recorder/get_parameters')
    assert client.wait_for_service(START_S)
    wait_for_answer(client.call_async(GetParameters.Request()), START_S)


@pytest.mark.parametrize('number', [signal.SIGINT, signal.SIGTERM])
def test_as_a_process_it_closes_the_file_when_it_is_stopped(speaker, tmp_path, number):
    path = tmp_path / 'a.mcap'
    arguments = [sys.executable, '-m', 'diffpose_ros.ros.recorder', '--out', str(path)]
    with process(*arguments) as recorder:
        wait_for(speaker.people.get_subscription_count, START_S)
        speaker.say(1)
        wait_for(lambda: speaker.people.wait_for_all_acked(Duration(seconds=1)), START_S)
        ask_recorder(speaker)
        recorder.send_signal(number)
        assert recorder.wait(END_S) == 0
    assert len(read_recording(path).frames) == 1
