"""Depth images (REP 118) to metres: the encoding says the unit, never a parameter."""

import numpy as np
from numpy.typing import NDArray
from sensor_msgs.msg import Image

UNITS = {'16UC1': ('u2', 1e-3), '32FC1': ('f4', 1.0)}  # type and metres of one unit


def depth_to_metres(msg: Image, size: tuple[int, int]) -> NDArray[np.float32]:
    """
    Return the depth (H, W) of a message; what is not above 0 or not finite is invalid.

    size  (width, height) of the image that it belongs to, pixels

    Raise ValueError saying what is wrong with the message.
    """
    if msg.encoding not in UNITS:
        raise ValueError(
            f'depth encoding {msg.encoding!r} is not supported; publish 16UC1 (millimetres) or '
            '32FC1 (metres)'
        )
    if (msg.width, msg.height) != size:
        raise ValueError(
            f'depth is {msg.width}x{msg.height} but the image has {size[0]}x{size[1]}; register '
            'it to the image, for example with depth_image_proc, and remap depth to the result'
        )
    kind, metres = UNITS[msg.encoding]
    dtype = np.dtype(('>' if msg.is_bigendian else '<') + kind)
    row = msg.width * dtype.itemsize
    if msg.step < row or len(msg.data) != msg.step * msg.height:
        raise ValueError(
            f'depth of {msg.width}x{msg.height} {msg.encoding} has step {msg.step} and '
            f'{len(msg.data)} bytes, expected step {row} or more and step x height = '
            f'{msg.step * msg.height} bytes; check the depth driver'
        )
    rows = np.frombuffer(msg.data, np.uint8).reshape(msg.height, msg.step)[:, :row]
    values = np.ascontiguousarray(rows).view(dtype)
    with np.errstate(invalid='ignore'):  # any bits may stand where nothing was measured
        return np.multiply(values, metres, dtype=np.float32)
