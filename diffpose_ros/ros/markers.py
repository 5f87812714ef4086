"""
Skeletons for RViz: joints, bones, ellipsoids of uncertainty, hypotheses and the id.

Namespaces are the kinds, ids are stable per person; who vanishes is deleted by name.
"""

from collections.abc import Iterable, Iterator
import colorsys
from dataclasses import dataclass
from functools import cached_property

from diffpose_ros.core.people import JointState, Person, Pose3D, ScaleSource
from diffpose_ros.core.rigid import UP
from diffpose_ros.core.skeleton import Skeleton
from diffpose_ros.offline.draw import spheres
from diffpose_ros.ros.convert import duration
from diffpose_ros.ros.ellipsoids import SphereWriter
from diffpose_ros.ros.settings import MarkersConfig
from geometry_msgs.msg import Point
import numpy as np
from numpy.typing import NDArray
from std_msgs.msg import ColorRGBA, Header
from visualization_msgs.msg import Marker, MarkerArray

Color = tuple[float, float, float]

JOINTS, BONES, SIGMA, HYPOTHESES, LABEL = 'joints', 'bones', 'sigma', 'hypotheses', 'label'

JOINT_SIZE_M = 0.05
BONE_WIDTH_M = 0.025
HYPOTHESIS_WIDTH_M = 0.008
LABEL_SIZE_M = 0.14
LABEL_ABOVE_M = 0.2
SURE, UNSURE, SIGMA_ALPHA, HYPOTHESIS_ALPHA = 1.0, 0.35, 0.25, 0.3
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
        """Joints (J,) that can be drawn."""
        finite = np.isfinite(self.pose.xyz).all(axis=1)
        return finite & (self.pose.state != INVALID)

    @property
    def certain(self) -> NDArray[np.bool_]:
        """Joints (J,) that can be drawn and whose covariance is known."""
        return self.known & np.isfinite(self.pose.covariance).all(axis=(1, 2))


class MarkerBoard:
    """What RViz shows at present, and the messages that bring it up to date."""

    def __init__(self, skeleton: Skeleton) -> None:
        self._edges = np.array(skeleton.edges)
        self._numbers: dict[str, int] = {}  # of the people shown
        self._born = 0
        self._shown: set[tuple[str, int]] = set()
        self._kept: dict[tuple[str, int], Marker] = {}  # to be filled again: new ones are slow
        self._writer = SphereWriter(SIGMA)

    def draw(
        self,
        people: Iterable[Person],
        header: Header,
        config: MarkersConfig,
        up: NDArray[np.float64] = UP,
    ) -> bytes:
        """Return the serialized MarkerArray that shows these people; up (3,) in their frame."""
        bodies = self._bodies(people)
        markers = [marker for body in bodies for marker in self._draw_body(body, config, up)]
        self._kept = {(m.ns, m.id): m for m in markers}
        ids, forms, colors = self._uncertainty(bodies, config.sigma)
        shown = {(m.ns, m.id) for m in markers} | {(SIGMA, i) for i in ids.tolist()}
        markers += deletions(self._shown - shown)
        self._shown = shown
        lifetime = duration(config.lifetime_s)
        for marker in markers:
            marker.header = header
            marker.lifetime = lifetime
        return self._writer.write(header, lifetime, ids, forms, colors, markers)

    def clear(self, header: Header) -> MarkerArray:
        """Return what removes everything that is shown."""
        markers = deletions(self._shown)
        for marker in markers:
            marker.header = header
        self._shown, self._numbers = set(), {}
        return MarkerArray(markers=markers)

    def _bodies(self, people: Iterable[Person]) -> list[Body]:
        poses = {
            person.track_id: person.pose3d
            for person in people
            if person.pose3d is not None and person.pose3d.scale_source != ScaleSource.NONE
        }
        for track_id in poses:
            if track_id not in self._numbers:
                self._numbers[track_id] = self._born
                self._born += 1
        self._numbers = {track_id: self._numbers[track_id] for track_id in poses}
        return [Body(self._numbers[track_id], track_id, pose) for track_id, pose in poses.items()]

    def _draw_body(
        self, body: Body, config: MarkersConfig, up: NDArray[np.float64]
    ) -> Iterator[Marker]:
        if not body.known.any():
            return
        points = [Point(x=x, y=y, z=z) for x, y, z in body.pose.xyz.tolist()]
        joints = np.flatnonzero(body.known)
        yield self._list(Marker.SPHERE_LIST, JOINTS, body, JOINT_SIZE_M, joints, points)
        edges = self._edges[body.known[self._edges].all(axis=1)]
        if len(edges):
            yield self._list(Marker.LINE_LIST, BONES, body, BONE_WIDTH_M, edges.ravel(), points)
        yield self._label(body, up)
        if config.hypotheses and len(body.pose.hypotheses) and len(edges):
            yield self._hypotheses(body, edges)

    def _uncertainty(self, bodies: list[Body], sigma: float) -> tuple[NDArray, NDArray, NDArray]:
        """Return ids (N,), spheres (N, 10) and colours (N, 4) of all people's ellipsoids."""
        ids, means, covariances, colors = [np.zeros(0, int)], [], [], []
        for body in bodies if sigma else ():
            joints = np.flatnonzero(body.certain)
            ids.append(joints + body.number * len(body.certain))
            means.append(body.pose.xyz[joints])
            covariances.append(body.pose.covariance[joints])
            colors.append(np.tile((*body.color, SIGMA_ALPHA), (len(joints), 1)))
        if len(ids) == 1:
            return ids[0], np.zeros((0, 10)), np.zeros((0, 4))
        forms = spheres(np.concatenate(means), np.concatenate(covariances), sigma)
        return np.concatenate(ids), forms, np.concatenate(colors)

    def _marker(self, kind: int, ns: str, body: Body, size_m: float, color: ColorRGBA) -> Marker:
        marker = self._kept.get((ns, body.number))
        if marker is None:
            marker = Marker(type=kind, ns=ns, id=body.number, color=color)
            marker.pose.orientation.w = 1.0
            marker.scale.x = marker.scale.y = marker.scale.z = size_m
        return marker

    def _list(
        self, kind: int, ns: str, body: Body, size_m: float, joints: NDArray, points: list[Point]
    ) -> Marker:
        """Return joints, or pairs of them, as one marker; what is not measured is paler."""
        sure, unsure = _rgba(body.color, SURE), _rgba(body.color, UNSURE)
        marker = self._marker(kind, ns, body, size_m, sure)
        marker.points = [points[j] for j in joints.tolist()]
        measured = body.pose.state[joints] == MEASURED
        paler = not measured.all()
        marker.colors = [sure if yes else unsure for yes in measured.tolist()] if paler else []
        return marker

    def _hypotheses(self, body: Body, edges: NDArray) -> Marker:
        color = _rgba(body.color, HYPOTHESIS_ALPHA)
        marker = self._marker(Marker.LINE_LIST, HYPOTHESES, body, HYPOTHESIS_WIDTH_M, color)
        ends = body.pose.hypotheses[:, edges.ravel()].reshape(-1, 3)
        marker.points = [Point(x=x, y=y, z=z) for x, y, z in ends.tolist()]
        return marker

    def _label(self, body: Body, up: NDArray[np.float64]) -> Marker:
        """Return the id above the highest joint."""
        marker = self._marker(
            Marker.TEXT_VIEW_FACING, LABEL, body, LABEL_SIZE_M, _rgba((1, 1, 1), SURE)
        )
        marker.text = body.track_id
        known = body.pose.xyz[body.known]
        x, y, z = (known[(known @ up).argmax()] + LABEL_ABOVE_M * up).tolist()
        marker.pose.position = Point(x=x, y=y, z=z)
        return marker


def deletions(shown: Iterable[tuple[str, int]]) -> list[Marker]:
    """Return markers that remove those of these namespaces and ids."""
    return [Marker(ns=ns, id=i, action=Marker.DELETE) for ns, i in sorted(shown)]


def _rgba(color: Color, alpha: float) -> ColorRGBA:
    r, g, b = map(float, color)
    return ColorRGBA(r=r, g=g, b=b, a=alpha)
