"""Messages of a camera to pixels and intrinsics; each is checked before it is used."""

import io
import sys

import cv2
from diffpose_ros.core.camera import Camera
from diffpose_ros.ros import compat
import numpy as np
from numpy.typing import NDArray
from PIL import Image as Picture
from rclpy.serialization import serialize_message
from sensor_msgs.msg import CameraInfo, CompressedImage, Image
from std_msgs.msg import Header

Rgb = NDArray[np.uint8]

BYTES_PER_PIXEL = {
    **dict.fromkeys(('rgb8', 'bgr8'), 3),
    **dict.fromkeys(('rgba8', 'bgra8'), 4),
    **dict.fromkeys(('mono16', 'yuv422', 'uyvy', 'yuv422_yuy2', 'yuyv'), 2),
    **dict.fromkeys(('mono8', 'bayer_rggb8', 'bayer_bggr8', 'bayer_gbrg8', 'bayer_grbg8'), 1),
    **dict.fromkeys(('bayer_rggb16', 'bayer_bggr16', 'bayer_gbrg16', 'bayer_grbg16'), 2),
}
IN_PAIRS = ('yuv422', 'uyvy', 'yuv422_yuy2', 'yuyv', 'bayer')  # of columns
AS_STORED = cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION  # as camera_info sees it
MOSAIC = cv2.IMREAD_GRAYSCALE | cv2.IMREAD_ANYDEPTH | cv2.IMREAD_IGNORE_ORIENTATION
MAX_PIXELS = 2**26  # a few bytes of PNG can claim gigapixels


def to_rgb(msg: Image | CompressedImage) -> Rgb:
    """Return the pixels (H, W, 3) of a message; ValueError says what is wrong with it."""
    stamp = msg.header.stamp
    if stamp.sec < 0 or stamp.nanosec >= 1_000_000_000:
        raise ValueError(
            f'image stamp has {stamp.sec} seconds and {stamp.nanosec} nanoseconds, allowed are 0 '
            'and more, and fewer than 1000000000; repair the clock of the camera driver'
        )
    return compressed_to_rgb(msg) if isinstance(msg, CompressedImage) else image_to_rgb(msg)


def image_to_rgb(msg: Image) -> Rgb:
    """Return the pixels (H, W, 3) of an uncompressed image of any supported encoding."""
    check_image(msg)
    row = msg.width * BYTES_PER_PIXEL[msg.encoding]
    if msg.step != row:
        rows = np.frombuffer(msg.data, np.uint8).reshape(msg.height, msg.step)
        msg = Image(
            height=msg.height,
            width=msg.width,
            encoding=msg.encoding,
            step=row,
            is_bigendian=msg.is_bigendian,
            data=rows[:, :row].tobytes(),
        )
    return compat.image_to_rgb(msg)


def compressed_to_rgb(msg: CompressedImage) -> Rgb:
    """Return the pixels (H, W, 3) of a JPEG or PNG image."""
    data = bytes(msg.data)
    encoding = msg.format.split(';')[0].strip()
    mosaic = encoding.startswith('bayer_')  # compressed_image_transport leaves it as it is
    pixels = _decode(data, MOSAIC if mosaic else AS_STORED)
    if pixels is None:
        raise ValueError(
            f'compressed image of format {msg.format!r} and {len(data)} bytes cannot be decoded; '
            'publish JPEG or PNG'
        )
    if mosaic:
        return image_to_rgb(_image(pixels, encoding))
    # compressed_image_transport names the channel order that it handed to the encoder as BGR
    return pixels if 'compressed rgb' in msg.format else cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB)


def _image(pixels: NDArray, encoding: str) -> Image:
    """Return pixels (H, W) as the message of that encoding."""
    height, width = pixels.shape
    return Image(
        height=height,
        width=width,
        encoding=encoding,
        step=pixels.strides[0],
        is_bigendian=sys.byteorder == 'big',
        data=pixels.tobytes(),
    )


def _decode(data: bytes, how: int) -> NDArray | None:
    """Return the pixels as OpenCV decodes them, None where it cannot."""
    try:
        with Picture.open(io.BytesIO(data), formats=('JPEG', 'PNG')) as header:
            width, height = header.size
    except Exception:  # whatever Pillow stumbles over: the bytes are a stranger's
        return None
    check_size(f'compressed image of {width}x{height}', width, height)
    try:
        return cv2.imdecode(np.frombuffer(data, np.uint8), how)
    except cv2.error:
        return None


def check_size(what: str, width: int, height: int) -> None:
    """Raise ValueError when an image has no pixels, or more than any camera."""
    if not width or not height:
        raise ValueError(f'{what} is empty; check the camera driver')
    if width * height > MAX_PIXELS:
        raise ValueError(f'{what} has more than {MAX_PIXELS} pixels; publish a smaller one')


def check_image(msg: Image) -> None:
    """Raise ValueError unless size, step, encoding and data of an image agree."""
    if msg.encoding not in BYTES_PER_PIXEL:
        raise ValueError(
            f'image encoding {msg.encoding!r} is not supported; convert it, for example with '
            f'image_proc, to one of {sorted(BYTES_PER_PIXEL)}'
        )
    size = f'image of {msg.width}x{msg.height} {msg.encoding}'
    row = msg.width * BYTES_PER_PIXEL[msg.encoding]
    check_size(size, msg.width, msg.height)
    if msg.width % 2 and msg.encoding.startswith(IN_PAIRS):
        raise ValueError(f'{size} has an odd width; crop it to an even one')
    if msg.step < row or len(msg.data) != msg.step * msg.height:
        raise ValueError(
            f'{size} has step {msg.step} and {len(msg.data)} bytes, expected step {row} or more '
            f'and step x height = {msg.step * msg.height} bytes; check the camera driver'
        )


def camera_from_info(info: CameraInfo, size: tuple[int, int], rectified: bool) -> Camera:
    """
    Return the camera of an image; ValueError says why there is none.

    size       (width, height) of the image in pixels
    rectified  the image was undistorted with this calibration: P holds instead of K and D
    """
    full = (info.width or size[0], info.height or size[1])
    binning = np.maximum([info.binning_x, info.binning_y], 1)
    roi = info.roi
    shown = (roi.width or full[0], roi.height or full[1]) // binning
    if tuple(shown) != size:
        raise ValueError(
            f'camera_info is for {shown[0]}x{shown[1]} but the image has {size[0]}x{size[1]}; '
            'remap camera_info to the topic beside the image'
        )
    K = (
        np.reshape(info.p, (3, 4))[:, :3].copy()
        if rectified
        else np.reshape(info.k, (3, 3)).copy()
    )
    if not K.any():
        raise ValueError('camera_info is all zero; calibrate the camera')
    K[:2, 2] -= roi.x_offset, roi.y_offset
    K[:2] /= binning[:, None]
    if rectified:  # a pinhole, whatever the lens was
        return Camera(K, *size)
    return Camera(K, *size, np.array(info.d, np.float64), info.distortion_model or 'plumb_bob')


class CameraSource:
    """The newest CameraInfo as a camera; `problem` tells why there is none."""

    def __init__(self) -> None:
        self.problem = ''
        self._info: CameraInfo | None = None
        self._content = b''
        self._made_from: tuple | None = None
        self._camera: Camera | None = None

    def update(self, info: CameraInfo) -> None:
        """Take a new message; only its stamp differs most of the time, so that is left out."""
        info.header = Header()
        self._info = info
        self._content = serialize_message(info)  # Jazzy's older messages compare arrays wrongly

    def camera(self, size: tuple[int, int], rectified: bool) -> Camera | None:
        """Return the camera for images of that size (width, height), or None."""
        info = self._info
        made_from = self._content, size, rectified
        if self._made_from != made_from:
            self._made_from = made_from
            self._camera, self.problem = self._make(info, size, rectified)
        return self._camera

    def _make(
        self, info: CameraInfo | None, size: tuple[int, int], rectified: bool
    ) -> tuple[Camera | None, str]:
        if info is None:
            return None, 'no camera_info received; publish it or remap camera_info'
        try:
            return camera_from_info(info, size, rectified), ''
        except ValueError as error:
            return None, str(error)
