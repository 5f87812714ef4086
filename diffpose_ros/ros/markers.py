"""
Skeletons for RViz: joints, bones, ellipsoids of uncertainty, hypotheses and the id.

Namespaces are the kinds, ids are stable per person; who vanishes is deleted by name.
"""

from collections.abc import Iterable, Iterator, Sequence
import colorsys
from dataclasses import dataclass
from functools import cached_property

from diffpose_ros.core.people import JointState, Person, Pose3D, ScaleSource
from diffpose_ros.core.rigid import UP
from diffpose_ros.core.skeleton import Skeleton
from diffpose_ros.offline.draw import spheres
from diffpose_ros.ros.convert import duration
from diffpose_ros.ros.marker_writer import Batch, MarkerWriter
from diffpose_ros.ros.settings import MarkersConfig
from geometry_msgs.msg import Point
import numpy as np
from numpy.typing import NDArray
from std_msgs.msg import ColorRGBA, Header
from visualization_msgs.msg import Marker

Color = tuple[float, float, float]

JOINTS, BONES, SIGMA, HYPOTHESES, LABEL = 'joints', 'bones', 'sigma', 'hypotheses', 'label'

JOINT_SIZE_M = 0.05
BONE_WIDTH_M = 0.025
HYPOTHESIS_WIDTH_M = 0.008
LABEL_SIZE_M = 0.14
LABEL_ABOVE_M = 0.2
SURE, UNSURE, SIGMA_ALPHA, HYPOTHESIS_ALPHA = 1.0, 0.35, 0.25, 0.3
UPRIGHT = (0.0, 0.0, 0.0, 1.0)  # quaternion x y z w
INVALID, MEASURED = int(JointState.INVALID), int(JointState.MEASURED)  # enums are slow
GOLDEN_RATIO = 0.618034  # steps of hue that stay apart however many there are


@dataclass(frozen=True)
class Body:
    """One person as it is drawn; number is unique for the life of the board."""

    number: int
    track_id: str
    pose: Pose3D

    @property
    def color(self) -> Color:
        """The person's own colour."""
        return colorsys.hsv_to_rgb(self.number * GOLDEN_RATIO % 1.0, 0.75, 1.0)

    @cached_property
    def known(self) -> NDArray[np.bool_]:
        """Joints (J,) that can be drawn, with their ellipsoids."""
        return np.asarray(self.pose.state != INVALID)

    def shades(self, joints: NDArray[np.integer]) -> NDArray[np.float64]:
        """Return colours (n, 4) of joints (n,); what is not measured is paler."""
        measured = self.pose.state[joints] == MEASURED
        shades = np.empty((len(joints), 4))
        shades[:, :3], shades[:, 3] = self.color, np.where(measured, SURE, UNSURE)
        return shades


class MarkerBoard:
    """What RViz shows at present, and the messages that bring it up to date."""

    def __init__(self, skeleton: Skeleton) -> None:
        self._edges = np.array(skeleton.edges)
        self._numbers: dict[str, int] = {}  # of the people shown
        self._born = 0
        self._shown: set[tuple[str, int]] = set()
        self._labels: dict[int, Marker] = {}  # to be filled again: new ones are slow
        self._writer = MarkerWriter()

    def draw(
        self,
        people: Sequence[Person],
        header: Header,
        config: MarkersConfig,
        up: NDArray[np.float64] = UP,
    ) -> bytes:
        """Return the serialized MarkerArray that shows these people; up (3,) in their frame."""
        bodies = self._bodies(people)
        batches = [batch for body in bodies for batch in self._lists(body, config)]
        batches += uncertainty(bodies, config.sigma)
        self._labels = {body.number: self._label(body, up) for body in bodies if body.known.any()}
        shown = {(batch.ns, i) for batch in batches for i in batch.ids.tolist()}
        shown |= {(LABEL, number) for number in self._labels}
        others = [*self._labels.values(), *deletions(self._shown - shown)]
        self._shown = shown
        lifetime = duration(config.lifetime_s)
        for marker in others:
            marker.header = header
            marker.lifetime = lifetime
        return self._writer.write(header, lifetime, batches, others)

    def _bodies(self, people: Sequence[Person]) -> list[Body]:
        poses = {
            person.track_id: person.pose3d
            for person in people
            if person.pose3d is not None and person.pose3d.scale_source != ScaleSource.NONE
        }
        for track_id in poses:
            if track_id not in self._numbers:
                self._numbers[track_id] = self._born
                self._born += 1
        alive = {person.track_id for person in people}
        self._numbers = {i: number for i, number in self._numbers.items() if i in alive}
        return [Body(self._numbers[track_id], track_id, pose) for track_id, pose in poses.items()]

    def _lists(self, body: Body, config: MarkersConfig) -> Iterator[Batch]:
        """Yield joints, bones and hypotheses of a body."""
        joints, xyz = np.flatnonzero(body.known), body.pose.xyz
        if len(joints):
            yield points_of(
                body, JOINTS, Marker.SPHERE_LIST, JOINT_SIZE_M, xyz[joints], body.shades(joints)
            )
        ends = self._edges[body.known[self._edges].all(axis=1)].ravel()
        if len(ends):
            yield points_of(
                body, BONES, Marker.LINE_LIST, BONE_WIDTH_M, xyz[ends], body.shades(ends)
            )
        bodies = body.pose.hypotheses
        if config.hypotheses and len(bodies) and len(ends):
            lines = bodies[:, ends].reshape(-1, 3)
            shades = np.tile((*body.color, HYPOTHESIS_ALPHA), (len(lines), 1))
            yield points_of(body, HYPOTHESES, Marker.LINE_LIST, HYPOTHESIS_WIDTH_M, lines, shades)

    def _label(self, body: Body, up: NDArray[np.float64]) -> Marker:
        """Return the id above the highest joint."""
        marker = self._labels.get(body.number) or new_label(body)
        known = body.pose.xyz[body.known]
        x, y, z = (known[(known @ up).argmax()] + LABEL_ABOVE_M * up).tolist()
        marker.pose.position = Point(x=x, y=y, z=z)
        return marker


def points_of(
    body: Body, ns: str, kind: int, size_m: float, points: NDArray, shades: NDArray
) -> Batch:
    """Return points (P, 3) of a body in their colours (P, 4) as one marker."""
    form = np.array([[0, 0, 0, *UPRIGHT, size_m, size_m, size_m]])
    color = np.array([[*body.color, SURE]])
    return Batch(ns, kind, np.array([body.number]), form, color, points[None], shades[None])


def uncertainty(bodies: list[Body], sigma: float) -> Iterator[Batch]:
    """Yield the ellipsoids of all joints of all bodies."""
    known = np.array([body.known for body in bodies])
    if not sigma or not known.any():
        return
    colors = np.array([(*body.color, SIGMA_ALPHA) for body in bodies])
    numbers = np.array([body.number for body in bodies])
    people, joints = known.nonzero()
    yield Batch(
        SIGMA,
        Marker.SPHERE,
        joints + numbers[people] * known.shape[1],
        spheres(
            np.concatenate([body.pose.xyz for body in bodies])[known.ravel()],
            np.concatenate([body.pose.covariance for body in bodies])[known.ravel()],
            sigma,
        ),
        colors[people],
        np.zeros((len(people), 0, 3)),
        np.zeros((len(people), 0, 4)),
    )


def new_label(body: Body) -> Marker:
    """Return the id as text."""
    marker = Marker(ns=LABEL, id=body.number, type=Marker.TEXT_VIEW_FACING, text=body.track_id)
    marker.pose.orientation.w = 1.0
    marker.scale.x = marker.scale.y = marker.scale.z = LABEL_SIZE_M
    marker.color = ColorRGBA(r=1.0, g=1.0, b=1.0, a=SURE)
    return marker


def deletions(shown: Iterable[tuple[str, int]]) -> list[Marker]:
    """Return markers that remove those of these namespaces and ids."""
    return [Marker(ns=ns, id=i, action=Marker.DELETE) for ns, i in sorted(shown)]
