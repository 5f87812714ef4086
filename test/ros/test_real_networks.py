"""The node with its real networks, where their checkpoints are installed."""

from itertools import islice
import re

from bystander import rgb_message, wait_for
from diffpose_ros.core.checkpoint import find_checkpoint
from diffpose_ros.core.pipeline import PosePipeline
from diffpose_ros.core.share import find_shared
from diffpose_ros.msg import Skeleton
from diffpose_ros.offline.calibration import read_camera
from diffpose_ros.offline.video import VideoReader
from diffpose_ros.ros.player import camera_info
import numpy as np
import pytest
from std_msgs.msg import Header
from std_srvs.srv import Trigger

pytestmark = pytest.mark.ros


@pytest.fixture
def real_graph(graph):
    """Return the graph with the packaged networks, or skip."""
    try:
        for name in ('detector_compact', 'pose2d_compact', 'lift3d_default'):
            find_checkpoint(name)
    except FileNotFoundError as error:
        pytest.skip(str(error))
    return graph(PosePipeline.from_config).bring_up()


def test_a_missing_model_leaves_the_node_configurable_and_is_named(graph, capfd):
    g = graph(PosePipeline.from_config, settings={'detector.model': '/no/such.safetensors'})
    g.node.bring_up()
    assert g.state == 'unconfigured'
    told = capfd.readouterr().err
    assert '/no/such.safetensors' in told
    assert 'Traceback' not in told


def test_an_empty_scene_is_answered(real_graph):
    skeletons = real_graph.listen('skeletons')
    real_graph.bystander.show(rgb_message(np.full((480, 640, 3), 90, np.uint8)), stamp_s=3)
    (msg,) = wait_for(lambda: skeletons, 60)
    assert (msg.header.stamp.sec, msg.image_width) == (3, 640)
    assert '@' in msg.inference.model_id


def test_a_self_test_runs_every_network(real_graph):
    answer = real_graph.call(Trigger, 'self_test')
    assert answer.success
    times = re.findall(r'(\w+) ([\d.]+) ms', answer.message)
    assert [stage for stage, _ in times] == ['detect', 'pose2d', 'lift3d']
    assert all(float(ms) > 0 for _, ms in times)


def test_a_recording_that_starts_over_is_followed_anew(real_graph):
    skeletons = real_graph.listen('skeletons')
    clip = list(islice(VideoReader(find_shared('demo/walk.mp4')), 20, 26))
    for n, (time_s, pixels) in enumerate([*clip, *clip], start=1):
        real_graph.bystander.show(rgb_message(pixels), stamp_s=time_s)
        wait_for(lambda n=n: len(skeletons) == n, 60)
    first, again = skeletons[: len(clip)], skeletons[len(clip) :]
    before = {s.track_id for s in first[-1].skeletons}
    ended = {s.track_id for s in again[0].skeletons if s.track_state == Skeleton.TERMINATED}
    after = {s.track_id for s in again[-1].skeletons}
    assert before
    assert before <= ended
    assert after
    assert not before & after


def test_a_person_is_found_and_every_number_is_sound(real_graph):
    video = VideoReader(find_shared('demo/walk.mp4'))
    width, height = video.width, video.height
    camera = read_camera(find_shared('demo/walk.yaml'), width, height)
    skeletons, timing = real_graph.listen('skeletons'), real_graph.listen('timing')
    for n, (time_s, pixels) in enumerate(islice(video, 20, 26), start=1):
        real_graph.bystander.infos.publish(camera_info(camera, width, height, Header()))
        real_graph.bystander.show(rgb_message(pixels), stamp_s=time_s)
        wait_for(lambda n=n: len(timing) == n, 60)
    seen = [s for msg in skeletons for s in msg.skeletons if s.track_state != Skeleton.TERMINATED]
    assert len(seen) >= 5
    for skeleton in seen:
        xyz = np.reshape(skeleton.position, (-1, 3))
        valid = np.array(skeleton.joint_state) != Skeleton.JOINT_INVALID
        assert np.isfinite(xyz[valid]).all()
        assert (xyz[valid, 2] > 0).all()
        assert (np.linalg.eigvalsh(np.reshape(skeleton.covariance, (-1, 3, 3))[valid]) > 0).all()
        assert 0 <= skeleton.score <= 1
    assert timing[-1].total_ms >= timing[-1].pose2d_ms > 0
