"""Depth images in the graph: by encoding, by stamp, and a clear word when they do not fit."""

from array import array

from bystander import HEIGHT, wait_for, WIDTH
from diffpose_ros.msg import InferenceInfo
from diffpose_ros.ros import matching
from diffpose_ros.ros.depth import depth_to_metres
import numpy as np
import pytest
from sensor_msgs.msg import Image

pytestmark = pytest.mark.ros
METRES = np.linspace(0.5, 8, HEIGHT * WIDTH).reshape(HEIGHT, WIDTH).round(3)
ON = {'depth.enable': True}


def depth_message(metres, encoding='16UC1', order='<', padding=0):
    kind, unit = {'16UC1': ('u2', 1e-3), '32FC1': ('f4', 1)}[encoding]
    values = np.ascontiguousarray(metres / unit if unit == 1 else np.rint(metres / unit))
    rows = values.astype(order + kind).view(np.uint8).reshape(len(metres), -1)
    rows = np.pad(rows, ((0, 0), (0, padding)))
    return Image(
        height=len(metres),
        width=metres.shape[1],
        encoding=encoding,
        is_bigendian=order == '>',
        step=rows.shape[1],
        data=array('B', rows.tobytes()),
    )


@pytest.mark.parametrize('encoding', ['16UC1', '32FC1'])
@pytest.mark.parametrize('layout', [{}, {'order': '>'}, {'padding': 6}], ids=str)
def test_both_encodings_give_metres(encoding, layout):
    depth = depth_to_metres(depth_message(METRES, encoding, **layout), (WIDTH, HEIGHT))
    assert (depth.dtype, depth.shape) == (np.float32, (HEIGHT, WIDTH))
    np.testing.assert_allclose(depth, METRES, rtol=1e-6)


def test_invalid_pixels_of_floats_stay_as_they_are():
    metres = np.array([[np.nan, np.inf, 0.0, 2.0]])
    depth = depth_to_metres(depth_message(metres, '32FC1'), (4, 1))
    np.testing.assert_array_equal(depth, metres.astype(np.float32))


@pytest.mark.parametrize(
    ('change', 'told'),
    [
        ({'encoding': 'mono8'}, "encoding 'mono8'.*16UC1 .millimetres. or 32FC1"),
        ({'width': 32}, '32x48 but the image has 64x48; register it'),
        ({'step': 64}, 'expected step 128 or more'),
        ({'data': array('B', bytes(10))}, '10 bytes, expected'),
    ],
)
def test_what_does_not_fit_is_refused_with_the_remedy(change, told):
    msg = depth_message(METRES)
    for name, value in change.items():
        setattr(msg, name, value)
    with pytest.raises(ValueError, match=told):
        depth_to_metres(msg, (WIDTH, HEIGHT))


class DepthCamera:
    """Publishes depth beside the bystander's images."""

    def __init__(self, graph):
        self.graph = graph
        self._publisher = graph.bystander.create_publisher(Image, 'depth', 5)
        wait_for(self._publisher.get_subscription_count)

    def show(self, msg, stamp_s=1.0):
        sec, nanosec = divmod(round(stamp_s * 1e9), 10**9)
        msg.header.stamp.sec, msg.header.stamp.nanosec = sec, nanosec
        self._publisher.publish(msg)

    def show_first(self, msg, stamp_s=1.0):
        """Publish and wait until the node has it."""
        self.show(msg, stamp_s)
        wait_for(lambda: self._has(stamp_s))

    def _has(self, stamp_s):
        items = self.graph.node._companions._depths._items
        return [stamp for stamp, _ in items if stamp == round(stamp_s * 1e9)]


@pytest.mark.parametrize('encoding', ['16UC1', '32FC1'])
def test_the_depth_of_an_image_reaches_the_pipeline_in_metres(graph, encoding):
    g = graph(settings=ON).bring_up()
    camera, skeletons = DepthCamera(g), g.listen('skeletons')
    camera.show_first(depth_message(METRES - 0.5, encoding), stamp_s=1)
    camera.show_first(depth_message(METRES, encoding), stamp_s=2.004)
    g.bystander.show(stamp_s=2)
    wait_for(lambda: skeletons)
    np.testing.assert_allclose(g.pipeline.frames[0].depth, METRES, rtol=1e-6)


def test_depth_that_comes_after_its_image_is_waited_for(graph, monkeypatch):
    monkeypatch.setattr(matching, 'SILENT_S', 60)
    g = graph(settings={**ON, 'sync.timeout_ms': 5000.0}).bring_up()
    camera, skeletons = DepthCamera(g), g.listen('skeletons')
    camera.show_first(depth_message(METRES), stamp_s=1)
    g.bystander.show(stamp_s=2)
    wait_for(lambda: g.received == 1)
    camera.show(depth_message(METRES + 1), stamp_s=2)
    wait_for(lambda: skeletons)
    np.testing.assert_allclose(g.pipeline.frames[0].depth, METRES + 1, rtol=1e-6)


@pytest.mark.parametrize(
    ('wrong', 'told'),
    [
        (Image(height=HEIGHT, width=WIDTH, encoding='rgb8'), "encoding 'rgb8'"),
        (depth_message(METRES[:, :10]), '10x48 but the image has 64x48'),
    ],
    ids=['encoding', 'size'],
)
def test_depth_that_does_not_fit_is_told_once_and_3d_goes_without(graph, capfd, wrong, told):
    g = graph(settings=ON).bring_up()
    camera, skeletons = DepthCamera(g), g.listen('skeletons')
    for n in (1, 2, 3):
        camera.show_first(wrong, stamp_s=n)
        g.bystander.show(stamp_s=n)
        wait_for(lambda n=n: len(skeletons) == n)
    assert all(frame.depth is None for frame in g.pipeline.frames)
    assert skeletons[-1].skeletons[0].position
    (error,) = [line for line in capfd.readouterr().err.splitlines() if '[ERROR]' in line]
    assert told in error


def test_an_image_without_depth_is_answered_and_told(graph, capfd):
    g = graph(settings=ON).bring_up()
    camera, skeletons = DepthCamera(g), g.listen('skeletons')
    camera.show_first(depth_message(METRES), stamp_s=1)
    g.bystander.show(stamp_s=5)
    wait_for(lambda: skeletons)
    assert g.pipeline.frames[0].depth is None
    assert skeletons[0].inference.degraded & InferenceInfo.DEGRADED_NO_DEPTH
    assert '3D goes without depth: none has the stamp' in capfd.readouterr().err


def test_depth_is_not_listened_to_unless_asked_for(graph):
    g = graph().bring_up()
    assert not g.bystander.count_subscribers('/depth')
