"""
Ellipsoids of uncertainty as RViz spheres, many at once.

A Python object per sphere costs more than a frame may (ten people have 170 of them). So one
marker is serialized, copied as bytes, and the numbers in which spheres differ are filled in.
"""

import struct

from builtin_interfaces.msg import Duration
import numpy as np
from numpy.typing import NDArray
from rclpy.serialization import serialize_message
from std_msgs.msg import Header
from visualization_msgs.msg import Marker, MarkerArray

Floats = NDArray[np.floating]

START = 8  # bytes before the first marker: encapsulation, number of markers
NUMBERS = np.dtype(
    [('stamp', '2i4'), ('id', 'i4'), ('body', '10f8'), ('color', '4f4'), ('lifetime', '2i4')]
)
# Values that nothing else in a marker looks like; where they are found is where numbers go.
MARKS = np.array(
    (
        (1903260017, 1731),
        1618033988,
        np.pi * np.arange(1, 11),
        np.e * np.arange(1, 5),
        (1414, 1732),
    ),
    NUMBERS,
)


class SphereWriter:
    """Spheres of one namespace, serialized together with other markers as one MarkerArray."""

    def __init__(self, ns: str) -> None:
        self._ns = ns
        self._frame_id: str | None = None
        self._form = b''
        self._layout = NUMBERS

    def write(
        self,
        header: Header,
        lifetime: Duration,
        ids: NDArray[np.integer],
        bodies: Floats,
        colors: Floats,
        others: list[Marker],
    ) -> bytes:
        """
        Return the serialized MarkerArray of the spheres and the other markers.

        ids     (N,)     of the spheres
        bodies  (N, 10)  as offline.draw.spheres returns them
        colors  (N, 4)   red, green, blue, alpha, 0 to 1
        """
        if self._frame_id != header.frame_id:
            self._learn(header.frame_id)
        copies = bytearray(self._form * len(ids))
        block = np.frombuffer(copies, self._layout)
        block['stamp'] = header.stamp.sec, header.stamp.nanosec
        block['lifetime'] = lifetime.sec, lifetime.nanosec
        block['id'], block['body'], block['color'] = ids, bodies, colors
        rest = serialize_message(MarkerArray(markers=others))
        count = struct.pack('=I', len(ids) + len(others))
        return rest[: START - len(count)] + count + bytes(copies) + rest[START:]

    def _learn(self, frame_id: str) -> None:
        """Serialize one sphere and find where its numbers are."""
        self._form = self._serialized(frame_id, text='')
        if len(self._form) % 8:  # only multiples of 8 keep the alignment of what follows
            self._form = self._serialized(frame_id, text=' ' * 4)
        self._layout = np.dtype(
            {
                'names': NUMBERS.names,
                'formats': [NUMBERS[name] for name in NUMBERS.names],
                'offsets': [self._form.index(MARKS[name].tobytes()) for name in NUMBERS.names],
                'itemsize': len(self._form),
            }
        )
        self._frame_id = frame_id

    def _serialized(self, frame_id: str, text: str) -> bytes:
        marker = Marker(ns=self._ns, type=Marker.SPHERE, text=text)
        marker.header.frame_id = frame_id
        marker.header.stamp.sec, marker.header.stamp.nanosec = MARKS['stamp'].tolist()
        marker.id = int(MARKS['id'])
        position, orientation, scale = marker.pose.position, marker.pose.orientation, marker.scale
        body = MARKS['body'].tolist()
        position.x, position.y, position.z = body[:3]
        orientation.x, orientation.y, orientation.z, orientation.w = body[3:7]
        scale.x, scale.y, scale.z = body[7:]
        color, lifetime = marker.color, marker.lifetime
        color.r, color.g, color.b, color.a = MARKS['color'].tolist()
        lifetime.sec, lifetime.nanosec = MARKS['lifetime'].tolist()
        twice = serialize_message(MarkerArray(markers=[marker, marker]))
        once = serialize_message(MarkerArray(markers=[marker]))
        return bytes(twice[START : START + len(twice) - len(once)])
