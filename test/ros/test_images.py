"""Camera messages to pixels and intrinsics, against references computed here by hand."""

import io
import struct
import zlib

from builtin_interfaces.msg import Time
from bystander import rgb_message, wait_for
import cv2
from diffpose_ros.ros import compat
from diffpose_ros.ros.images import camera_from_info, CameraSource, to_rgb
import numpy as np
from PIL import ExifTags
from PIL import Image as Picture
import pytest
from sensor_msgs.msg import CameraInfo, CompressedImage, Image, RegionOfInterest

RGB = np.random.default_rng(0).integers(0, 256, (6, 8, 3), np.uint8)
GREY = RGB[..., :1].repeat(3, axis=2)
FLAT = np.full((6, 8, 3), (200, 120, 40), np.uint8)


def message(encoding: str, array: np.ndarray, **fields) -> Image:
    height, width = array.shape[:2]
    data = np.ascontiguousarray(array)
    return Image(
        encoding=encoding,
        height=height,
        width=width,
        step=data.nbytes // height,
        data=data.tobytes(),
        **fields,
    )


def alpha(pixels: np.ndarray) -> np.ndarray:
    return np.concatenate([pixels, np.full_like(pixels[..., :1], 7)], axis=2)


def yuv422(pixels: np.ndarray, luma: int) -> np.ndarray:
    """Return BT.601 video-range Y and chroma of one flat colour, Y at byte luma of each pair."""
    r, g, b = pixels[0, 0] / 255
    y = 16 + 65.481 * r + 128.553 * g + 24.966 * b
    u = 128 - 37.797 * r - 74.203 * g + 112.0 * b
    v = 128 + 112.0 * r - 93.786 * g - 18.214 * b
    out = np.zeros((*pixels.shape[:2], 2))
    out[..., luma] = y
    out[:, 0::2, 1 - luma], out[:, 1::2, 1 - luma] = u, v
    return out.round().astype(np.uint8)


def bayer(pixels: np.ndarray, pattern: str) -> np.ndarray:
    """Return what a sensor with this pattern of its first four pixels sees."""
    out = np.zeros(pixels.shape[:2], np.uint8)
    for n, channel in enumerate(pattern):
        out[n // 2 :: 2, n % 2 :: 2] = pixels[n // 2 :: 2, n % 2 :: 2, 'rgb'.index(channel)]
    return out


EXACT = {
    'rgb8': (RGB, RGB),
    'bgr8': (RGB[..., ::-1], RGB),
    'rgba8': (alpha(RGB), RGB),
    'bgra8': (alpha(RGB[..., ::-1]), RGB),
    'mono8': (RGB[..., 0], GREY),
    'mono16': (RGB[..., 0].astype(np.uint16) * 257, GREY),
}
CLOSE = {
    'yuv422': yuv422(FLAT, luma=1),
    'uyvy': yuv422(FLAT, luma=1),
    'yuv422_yuy2': yuv422(FLAT, luma=0),
    'yuyv': yuv422(FLAT, luma=0),
    **{f'bayer_{p}8': bayer(FLAT, p) for p in ('rggb', 'bggr', 'gbrg', 'grbg')},
    **{f'bayer_{p}16': bayer(FLAT, p) * np.uint16(257) for p in ('rggb', 'grbg')},
}


@pytest.mark.parametrize('encoding', EXACT)
def test_colours_arrive_as_they_were(encoding):
    array, expected = EXACT[encoding]
    np.testing.assert_allclose(to_rgb(message(encoding, array)), expected, atol=1)
    assert to_rgb(message(encoding, array)).dtype == np.uint8


@pytest.mark.parametrize('encoding', CLOSE)
def test_subsampled_colours_arrive_nearly_as_they_were(encoding):
    pixels = to_rgb(message(encoding, CLOSE[encoding]))
    np.testing.assert_allclose(pixels.astype(int), FLAT, atol=3)


def test_big_endian_images_are_swapped():
    array = (RGB[..., 0].astype(np.uint16) * 257).byteswap()
    pixels = to_rgb(message('mono16', array, is_bigendian=1))
    np.testing.assert_allclose(pixels, GREY, atol=1)


@pytest.mark.parametrize('encoding', ['rgb8', 'mono16', 'yuv422'])
def test_padding_at_the_end_of_rows_is_left_out(encoding):
    array = {**{name: array for name, (array, _) in EXACT.items()}, **CLOSE}[encoding]
    tight = message(encoding, array)
    rows = np.frombuffer(tight.data, np.uint8).reshape(6, -1)
    padded = message(encoding, array)
    padded.step = tight.step + 5
    padded.data = np.pad(rows, ((0, 0), (0, 5)), constant_values=99).tobytes()
    np.testing.assert_array_equal(to_rgb(padded), to_rgb(tight))


@pytest.mark.parametrize(('suffix', 'off'), [('.png', 0), ('.jpg', 12)])
@pytest.mark.parametrize('pixels', [FLAT, GREY[:, :1].repeat(8, axis=1)], ids=['colour', 'grey'])
def test_compressed_images_are_decoded(suffix, off, pixels):
    data = cv2.imencode(suffix, pixels[..., ::-1])[1].tobytes()
    kind = {'.png': 'png', '.jpg': 'jpeg'}[suffix]
    msg = CompressedImage(format=f'bgr8; {kind} compressed bgr8', data=data)
    np.testing.assert_allclose(to_rgb(msg).astype(int), pixels, atol=off)


def test_pixels_stay_where_camera_info_sees_them_whatever_exif_says_of_the_camera():
    data, turned = io.BytesIO(), Picture.Exif()
    turned[ExifTags.Base.Orientation] = 6  # a viewer turns it by 90 degrees
    Picture.fromarray(np.zeros((8, 16, 3), np.uint8)).save(data, 'JPEG', exif=turned)
    msg = CompressedImage(format='jpeg', data=data.getvalue())
    assert to_rgb(msg).shape == (8, 16, 3)


def test_a_grey_jpeg_has_three_equal_channels():
    data = cv2.imencode('.jpg', np.full((8, 8), 77, np.uint8))[1].tobytes()
    pixels = to_rgb(CompressedImage(format='jpeg', data=data))
    np.testing.assert_allclose(pixels, np.full((8, 8, 3), 77), atol=2)


@pytest.mark.parametrize('encoding', ['bayer_rggb8', 'bayer_grbg8', 'bayer_grbg16'])
def test_a_mosaic_that_was_compressed_as_it_is_has_its_colours(encoding):
    data = cv2.imencode('.png', CLOSE[encoding])[1].tobytes()
    pixels = to_rgb(CompressedImage(format=f'{encoding}; png compressed ', data=data))
    np.testing.assert_allclose(pixels.astype(int), FLAT, atol=3)


def test_channels_that_were_compressed_in_rgb_order_are_not_swapped():
    data = cv2.imencode('.png', RGB)[1].tobytes()
    msg = CompressedImage(format='rgb8; png compressed rgb8', data=data)
    np.testing.assert_array_equal(to_rgb(msg), RGB)


def broken(**changes) -> Image:
    msg = rgb_message()
    for name, value in changes.items():
        setattr(msg, name, value)
    return msg


def claiming(width: int, height: int) -> CompressedImage:
    """Return a small PNG whose header claims another size."""
    data = bytearray(cv2.imencode('.png', RGB)[1].tobytes())
    data[16:24] = struct.pack('>II', width, height)
    data[29:33] = struct.pack('>I', zlib.crc32(data[12:29]))
    return CompressedImage(format='png', data=bytes(data))


BROKEN = [
    (broken(encoding='32FC1'), "encoding '32FC1' is not supported; convert it"),
    (broken(encoding=''), "encoding '' is not supported"),
    (broken(height=47), 'expected step 192 or more and step x height = 9024 bytes'),
    (broken(step=100), 'has step 100'),
    (broken(width=0), 'is empty'),
    (broken(data=b''), '0 bytes'),
    (broken(encoding='yuv422', width=63), 'odd width'),
    (CompressedImage(format='jpeg', data=b''), '0 bytes cannot be decoded; publish JPEG or PNG'),
    (CompressedImage(format='h264', data=b'abcdefgh' * 9), "format 'h264'"),
    (CompressedImage(format='bmp', data=cv2.imencode('.bmp', RGB)[1].tobytes()), 'JPEG or PNG'),
    (claiming(10_000, 7000), 'has more than 67108864 pixels; publish a smaller one'),
    (claiming(10**9, 10**9), 'cannot be decoded'),
]


@pytest.mark.parametrize(('msg', 'told'), BROKEN, ids=[told for _, told in BROKEN])
def test_a_wrong_message_is_refused_with_what_to_do(msg, told):
    with pytest.raises(ValueError, match='(?i)' + told):
        to_rgb(msg)


@pytest.mark.parametrize('stamp', [Time(nanosec=1_000_000_000), Time(sec=-6, nanosec=5)])
def test_a_stamp_that_is_no_time_is_refused(stamp):
    msg = rgb_message()
    msg.header.stamp = stamp
    with pytest.raises(ValueError, match='repair the clock'):
        to_rgb(msg)


def info(**changes) -> CameraInfo:
    k = [500.0, 0.0, 320.0, 0.0, 510.0, 240.0, 0.0, 0.0, 1.0]
    p = [400.0, 0.0, 300.0, 0.0, 0.0, 410.0, 200.0, 0.0, 0.0, 0.0, 1.0, 0.0]
    fields = {'width': 640, 'height': 480, 'k': k, 'p': p, 'd': [0.1, 0, 0, 0, 0.2]}
    return CameraInfo(**fields | {'distortion_model': 'plumb_bob'} | changes)


def test_raw_images_have_k_and_distortion():
    camera = camera_from_info(info(), (640, 480), rectified=False)
    assert camera.K.tolist() == [[500, 0, 320], [0, 510, 240], [0, 0, 1]]
    assert camera.distortion.tolist() == [0.1, 0, 0, 0, 0.2]


def test_rectified_images_have_p_and_no_distortion():
    camera = camera_from_info(info(), (640, 480), rectified=True)
    assert camera.K.tolist() == [[400, 0, 300], [0, 410, 200], [0, 0, 1]]
    assert not camera.distortion.size


@pytest.mark.parametrize('model', ['equidistant', 'thin_prism'])
def test_a_rectified_image_is_that_of_a_pinhole_whatever_the_lens_was(model):
    fisheye = info(distortion_model=model, d=[0.1, 0.0, 0.0, 0.0])
    camera = camera_from_info(fisheye, (640, 480), rectified=True)
    ray = np.array([0.5, -0.3, 1.0])
    pixel = camera.K @ ray
    np.testing.assert_allclose(camera.rays(pixel[:2]), ray[:2], atol=1e-9)


def test_binning_and_region_of_interest_move_the_camera():
    roi = RegionOfInterest(x_offset=100, y_offset=60, width=320, height=240)
    half = camera_from_info(info(roi=roi, binning_x=2, binning_y=2), (160, 120), rectified=False)
    whole = camera_from_info(info(), (640, 480), rectified=False)
    point = np.array([0.3, -0.2, 2.0])
    expected = (whole.project(point) - (100, 60)) / 2
    np.testing.assert_allclose(half.project(point), expected, atol=1e-9)


@pytest.mark.parametrize(
    ('wrong', 'told'),
    [
        (info(k=[0.0] * 9), 'all zero; calibrate'),
        (info(k=[np.nan] * 9), 'finite'),
        (info(width=1280), '1280x480 but the image has 640x480'),
        (info(distortion_model='magic'), 'magic'),
        (info(k=[-1.0, 0, 0, 0, 1, 0, 0, 0, 1]), 'focal lengths'),
    ],
)
def test_an_unusable_calibration_is_no_camera_and_says_why(wrong, told):
    source = CameraSource()
    source.update(wrong)
    assert source.camera((640, 480), rectified=False) is None
    assert told in source.problem


def test_the_camera_is_made_once_for_equal_messages():
    source = CameraSource()
    source.update(info())
    first = source.camera((640, 480), rectified=False)
    later = info()
    later.header.stamp.sec = 9
    source.update(later)
    assert source.camera((640, 480), rectified=False) is first
    source.update(info(width=0, height=0, d=[]))
    assert source.camera((640, 480), rectified=False) is not first


def test_a_new_calibration_is_seen_where_messages_compare_as_in_older_jazzy(monkeypatch):
    # where two arrays counted as equal while any of their numbers was
    monkeypatch.setattr(CameraInfo, '__eq__', lambda one, other: True)
    source, zoomed = CameraSource(), info()
    source.update(info())
    before = source.camera((640, 480), rectified=False)
    zoomed.k = np.array(zoomed.k) * [2, 1, 1, 1, 2, 1, 1, 1, 1]
    source.update(zoomed)
    assert source.camera((640, 480), rectified=False).K[0, 0] == 2 * before.K[0, 0]


def test_a_cv_bridge_that_cannot_work_is_not_taken(monkeypatch):
    import sys
    from types import SimpleNamespace

    class Bridge:
        def imgmsg_to_cv2(self, msg, encoding):
            raise AttributeError('_ARRAY_API not found')

    monkeypatch.setitem(sys.modules, 'cv_bridge', SimpleNamespace(CvBridge=Bridge))
    assert compat.image_converter()[0] == 'rosbags-image'


@pytest.mark.ros
@pytest.mark.parametrize('encoding', ['rgb8', 'bgr8', 'mono8', 'yuv422', 'bayer_rggb8'])
def test_encodings_pass_the_graph(graph, encoding):
    g = graph().bring_up()
    array = EXACT[encoding][0] if encoding in EXACT else CLOSE[encoding]
    msg = message(encoding, array)
    g.bystander.show(msg)
    (frame,) = wait_for(lambda: g.pipeline.frames)
    np.testing.assert_array_equal(frame.image, to_rgb(msg))


@pytest.mark.ros
def test_compressed_transport_has_its_own_topic_after_remapping(graph):
    g = graph(
        settings={'image_transport': 'compressed'},
        cli_args=['--ros-args', '-r', 'image:=/front/image_raw'],
        image_topic='/front/image_raw/compressed',
        image_type=CompressedImage,
    ).bring_up()
    data = cv2.imencode('.png', RGB[..., ::-1])[1].tobytes()
    g.bystander.show(CompressedImage(format='png', data=data))
    (frame,) = wait_for(lambda: g.pipeline.frames)
    np.testing.assert_array_equal(frame.image, RGB)


@pytest.mark.ros
@pytest.mark.parametrize('wrong', [broken(encoding='32FC1'), broken(step=100)])
def test_a_wrong_image_is_told_once_and_the_next_good_one_is_answered(graph, capfd, wrong):
    g = graph().bring_up()
    skeletons = g.listen('skeletons')
    for _ in range(3):
        g.bystander.show(wrong)
        g.health.last_error = ''
        wait_for(lambda: g.health.last_error)
    g.bystander.show(stamp_s=4)
    (msg,) = wait_for(lambda: skeletons)
    assert msg.header.stamp.sec == 4
    errors = [line for line in capfd.readouterr().err.splitlines() if '[ERROR]' in line]
    assert len(errors) == 1
    assert '32FC1' in errors[0] or 'step 100' in errors[0]
