"""
Markers for RViz, many at once.

A Python object per sphere or point costs more than a frame may (ten people have 170 ellipsoids and
500 points). So one marker of a kind is serialized, copied as bytes, and the numbers in which
markers of that kind differ are filled in.
"""

from dataclasses import dataclass
import struct

from builtin_interfaces.msg import Duration
from geometry_msgs.msg import Point
import numpy as np
from numpy.typing import NDArray
from rclpy.serialization import serialize_message
from std_msgs.msg import ColorRGBA, Header
from visualization_msgs.msg import Marker, MarkerArray

Floats = NDArray[np.floating]

START = 8  # bytes before the first marker: encapsulation, number of markers
NUMBERS = [('stamp', '2i4'), ('id', 'i4'), ('body', '10f8'), ('color', '4f4'), ('lifetime', '2i4')]
# Values that nothing else in a marker looks like; where they are found is where numbers go.
MARKS = (
    (1903260017, 1731),
    1618033988,
    np.pi * np.arange(1, 11),
    np.e * np.arange(1, 5),
    (1414, 1732),
)


@dataclass(frozen=True)
class Batch:
    """
    N markers of one namespace and type (Marker.SPHERE, …) that differ in numbers only.

    ids     (N,)
    bodies  (N, 10)    position, quaternion x y z w, scale
    colors  (N, 4)     red, green, blue, alpha, 0 to 1
    points  (N, P, 3)  of each; P = 0 where the type has none
    shades  (N, P, 4)  colours of the points
    """

    ns: str
    type: int
    ids: NDArray[np.integer]
    bodies: Floats
    colors: Floats
    points: Floats
    shades: Floats


class MarkerWriter:
    """Batches of markers, serialized together with other markers as one MarkerArray."""

    def __init__(self) -> None:
        self._frame_id: str | None = None
        self._forms: dict[tuple[str, int, int], tuple[bytes, np.dtype]] = {}

    def write(
        self, header: Header, lifetime: Duration, batches: list[Batch], others: list[Marker]
    ) -> bytes:
        """Return the serialized MarkerArray of the batches and the other markers."""
        if self._frame_id != header.frame_id:
            self._frame_id, self._forms = header.frame_id, {}
        blocks = b''.join(self._block(header, lifetime, batch) for batch in batches)
        rest = serialize_message(MarkerArray(markers=others))
        count = struct.pack('=I', sum(len(batch.ids) for batch in batches) + len(others))
        return rest[: START - len(count)] + count + blocks + rest[START:]

    def _block(self, header: Header, lifetime: Duration, batch: Batch) -> bytearray:
        kind = (batch.ns, batch.type, batch.points.shape[1])
        if kind not in self._forms:
            self._forms[kind] = learn(header.frame_id, *kind)
        form, layout = self._forms[kind]
        copies = bytearray(form * len(batch.ids))
        block = np.frombuffer(copies, layout)
        block['stamp'] = header.stamp.sec, header.stamp.nanosec
        block['lifetime'] = lifetime.sec, lifetime.nanosec
        block['id'], block['body'], block['color'] = batch.ids, batch.bodies, batch.colors
        block['points'], block['shades'] = batch.points, batch.shades
        return copies


def learn(frame_id: str, ns: str, kind: int, points: int) -> tuple[bytes, np.dtype]:
    """Return a marker of a type with so many points as bytes, and where its numbers are."""
    numbers = np.dtype([*NUMBERS, ('points', 'f8', (points, 3)), ('shades', 'f4', (points, 4))])
    lists = [np.sqrt(np.arange(2, 2 + n * points)).reshape(points, n) for n in (3, 4)]
    marks = np.array((*MARKS, *lists), numbers)
    marker = marked(Marker(ns=ns, type=kind), marks)
    marker.header.frame_id = frame_id
    form = as_element(marker)
    if len(form) % 8:  # only multiples of 8 keep the alignment of what follows
        marker.text = ' ' * 4
        form = as_element(marker)
    assert numbers.names is not None
    layout = {
        'names': numbers.names,
        'formats': [numbers[name] for name in numbers.names],
        'offsets': [form.index(marks[name].tobytes()) for name in numbers.names],
        'itemsize': len(form),
    }
    return form, np.dtype(layout)


def marked(marker: Marker, marks: NDArray) -> Marker:
    """Return the marker with the marks as its numbers."""
    marker.header.stamp.sec, marker.header.stamp.nanosec = marks['stamp'].tolist()
    marker.id = int(marks['id'])
    position, orientation, scale = marker.pose.position, marker.pose.orientation, marker.scale
    body = marks['body'].tolist()
    position.x, position.y, position.z = body[:3]
    orientation.x, orientation.y, orientation.z, orientation.w = body[3:7]
    scale.x, scale.y, scale.z = body[7:]
    color, lifetime = marker.color, marker.lifetime
    color.r, color.g, color.b, color.a = marks['color'].tolist()
    lifetime.sec, lifetime.nanosec = marks['lifetime'].tolist()
    marker.points = [Point(x=x, y=y, z=z) for x, y, z in marks['points'].tolist()]
    marker.colors = [ColorRGBA(r=r, g=g, b=b, a=a) for r, g, b, a in marks['shades'].tolist()]
    return marker


def as_element(marker: Marker) -> bytes:
    """Return what a marker looks like in a serialized array, up to where the next one begins."""
    twice = serialize_message(MarkerArray(markers=[marker, marker]))
    once = serialize_message(MarkerArray(markers=[marker]))
    return bytes(twice[START : START + len(twice) - len(once)])
