"""Whatever a topic carries: pixels, a camera, or one clear sentence."""

from bystander import rgb_message, wait_for
import cv2
from diffpose_ros.core.camera import Camera
from diffpose_ros.core.config import PipelineConfig
from diffpose_ros.ros.depth import depth_to_metres, UNITS
from diffpose_ros.ros.detections import person_boxes
from diffpose_ros.ros.images import BYTES_PER_PIXEL, camera_from_info, CameraSource, to_rgb
from diffpose_ros.ros.parameters import leaves, Parameters
from diffpose_ros.ros.settings import NodeConfig
from fuzzing import cases, damaged, INTEGERS, NUMBERS, pick, survives, WORDS
import numpy as np
import pytest
from rclpy.node import Node
from rclpy.parameter import Parameter
from sensor_msgs.msg import CameraInfo, CompressedImage, Image

ENCODINGS = (*BYTES_PER_PIXEL, '8UC3', '32FC1', '16UC1', 'h264', *WORDS)
SIZES = BYTES_PER_PIXEL | {'16UC1': 2, '32FC1': 4}
PICTURE = np.random.default_rng(0).integers(0, 256, (24, 32, 3), np.uint8)
FILES = [cv2.imencode(suffix, PICTURE)[1].tobytes() for suffix in ('.png', '.jpg', '.bmp')]


def any_image(rng, encodings=ENCODINGS) -> Image:
    """Return an image whose fields fit each other more often than not."""
    msg = Image(encoding=pick(rng, encodings), height=int(rng.integers(9)), width=8)
    msg.step = msg.width * SIZES.get(msg.encoding, 3)
    msg.data = rng.bytes(msg.step * msg.height)
    if rng.random() < 0.6:
        name = pick(rng, ('height', 'width', 'step', 'is_bigendian', 'data', 'stamp'))
        if name == 'stamp':
            msg.header.stamp.nanosec = pick(rng, INTEGERS)
        elif name == 'data':
            msg.data = rng.bytes(int(rng.integers(200)))
        else:
            setattr(msg, name, pick(rng, INTEGERS) % (256 if name == 'is_bigendian' else 2**32))
    return msg


def any_info(rng) -> CameraInfo:
    """Return a calibration of which some fields are nonsense."""
    k = np.array([60.0, 0, 32, 0, 60, 24, 0, 0, 1])
    p = np.insert(k, [3, 6, 9], 0.0)
    d = np.zeros(int(pick(rng, (0, 3, 4, 5, 8, 12, 14, 99))))
    for values in (k, p, d):
        if len(values) and rng.random() < 0.4:
            values[rng.integers(len(values))] = pick(rng, NUMBERS)
    models = ('plumb_bob', 'rational_polynomial', 'equidistant', *WORDS)
    msg = CameraInfo(
        width=64, height=48, k=k, p=p, d=d.tolist(), distortion_model=pick(rng, models)
    )
    if rng.random() < 0.3:
        owner, name = pick(rng, ((msg, 'width'), (msg, 'binning_x'), (msg.roi, 'x_offset')))
        setattr(owner, name, pick(rng, INTEGERS))
    return msg


def test_every_image_is_pixels_or_refused():
    def work(rng):
        msg = any_image(rng)
        pixels = to_rgb(msg)
        assert pixels.dtype == np.uint8
        assert pixels.shape == (msg.height, msg.width, 3)

    answered = [survives(lambda rng=rng: work(rng)) for rng in cases(4000)]
    assert 1000 < sum(answered) < 3000


def test_every_compressed_image_is_pixels_or_refused():
    def work(rng):
        data = damaged(pick(rng, FILES), rng)
        pixels = to_rgb(CompressedImage(format=pick(rng, ENCODINGS), data=data))
        assert (pixels.ndim, pixels.shape[2], pixels.dtype) == (3, 3, np.uint8)

    answered = [survives(lambda rng=rng: work(rng)) for rng in cases(3000)]
    assert 100 < sum(answered) < 2900


@pytest.mark.parametrize('rectified', [False, True])
def test_every_calibration_is_a_camera_or_refused(rectified):
    def work(rng):
        camera = camera_from_info(any_info(rng), (64, 48), rectified)
        rays = camera.rays(np.array([[0.0, 0.0], [32.0, 24.0], [63.0, 47.0]]))
        assert rays.shape == (3, 2)

    answered = [survives(lambda rng=rng: work(rng)) for rng in cases(1500)]
    assert 100 < sum(answered) < 1400


def test_the_newest_calibration_always_leaves_a_camera_or_a_problem():
    source = CameraSource()
    for rng in cases(500):
        source.update(any_info(rng))
        camera = source.camera((64, 48), rectified=False)
        assert isinstance(camera, Camera) != bool(source.problem)


def test_every_depth_image_is_metres_or_refused():
    def work(rng):
        msg = any_image(rng, (*UNITS, 'mono16'))
        metres = depth_to_metres(msg, (8, msg.height))
        assert (metres.shape, metres.dtype) == ((msg.height, 8), np.float32)

    answered = [survives(lambda rng=rng: work(rng)) for rng in cases(2000)]
    assert 200 < sum(answered) < 1800


def test_every_detection_is_a_box_in_reach_or_nobody():
    vision_msgs = pytest.importorskip('vision_msgs.msg', reason='vision_msgs comes with ROS')
    numbers = (*NUMBERS, *map(float, INTEGERS))
    found = []
    for rng in cases(1000):
        msg = vision_msgs.Detection2D()
        msg.bbox.center.position.x, msg.bbox.center.position.y = pick(rng, numbers), 24.0
        msg.bbox.size_x, msg.bbox.size_y = pick(rng, numbers), 20.0
        for _ in range(2):
            result = vision_msgs.ObjectHypothesisWithPose()
            result.hypothesis.class_id = pick(rng, (*WORDS, 'person'))
            result.hypothesis.score = pick(rng, numbers)
            msg.results.append(result)
        found += person_boxes(vision_msgs.Detection2DArray(detections=[msg]), ())
    assert 50 < len(found) < 500
    assert np.abs([(b.x_center, b.width, b.score) for b in found]).max() <= 1e6


@pytest.mark.ros
def test_every_parameter_is_taken_or_refused_and_what_holds_is_always_valid(context):
    node = Node('fuzzed', context=context)
    held = Parameters(node)
    names = [name for name, *_ in (*leaves(PipelineConfig()), *leaves(NodeConfig()))]
    values = (*NUMBERS, *INTEGERS[:9], *WORDS, True, False, None, [1, 2], [0.5], ['a'])

    def work(rng):
        changes = [Parameter(pick(rng, names), value=pick(rng, values)) for _ in range(2)]
        results = node.set_parameters(changes)
        assert all(result.successful or result.reason for result in results)

    for rng in cases(2000):
        survives(lambda rng=rng: work(rng))
        for name, value, meta in (*leaves(held.pipeline), *leaves(held.node)):
            low, high = meta['low'], meta['high']
            assert low is None or low <= value <= (np.inf if high is None else high), name
    node.destroy_node()


@pytest.mark.ros
def test_after_a_storm_of_nonsense_the_next_good_image_is_answered(graph):
    g = graph().bring_up()
    skeletons = g.listen('skeletons')
    good = rgb_message()
    for n, rng in enumerate(cases(200), start=1):
        g.bystander.infos.publish(any_info(rng))
        g.bystander.images.publish(any_image(rng))
        wait_for(lambda n=n: g.received == n)
    heard = len(skeletons)
    g.bystander.show(good, stamp_s=77)
    wait_for(lambda: skeletons[heard:] and skeletons[-1].header.stamp.sec == 77)
