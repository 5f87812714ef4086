"""From tracks to 3D poses: virtual camera, window on a time grid, lifting, placement."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
import math

from diffpose_ros.core.camera import Camera, look_at
from diffpose_ros.core.clip import time_slots
from diffpose_ros.core.config import InferenceConfig, PipelineConfig
from diffpose_ros.core.people import check_finite, JointState, Pose3D, ScaleSource
from diffpose_ros.core.sighting import centre, Sighting, turn
from diffpose_ros.core.skeleton import H36M_17, HIP
from diffpose_ros.core.track import Track
from diffpose_ros.lift3d.calibration import with_size
from diffpose_ros.lift3d.depth import refine, surface_depths, window_radius
from diffpose_ros.lift3d.lifter import LiftedPose, PoseLifter, Window
from diffpose_ros.lift3d.placement import AVERAGE, BodySize, place, Placement
import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
HEIGHT_DEVIATION = 0.03  # of a body's size where the person's height is known
LEAST_DEVIATION = 0.02  # and where depth images told it: their errors are much alike


@dataclass(frozen=True)
class Aimed:
    """
    The window of one person, seen by a virtual camera that looks at that person.

    inputs    B = 1
    rotation  (3, 3)  from the camera to the virtual camera
    """

    inputs: Window
    rotation: Floats


@dataclass(frozen=True)
class View:
    """
    What is known of an image besides the people in it.

    calibrated  whether the camera is known; otherwise poses are relative to the hip
    depth       (H, W) metres, of the same image; None = none
    """

    camera: Camera
    config: PipelineConfig
    calibrated: bool
    depth: NDArray[np.float32] | None = None


class Stage3D:
    """Runs the lifter on all tracks at once and puts the results into the camera's frame."""

    def __init__(self, lifter: PoseLifter) -> None:
        self._lifter = lifter

    @property
    def window_frames(self) -> int:
        """Slots of the window that lie in the past or present."""
        return self._lifter.past + 1

    @property
    def later_frames(self) -> int:
        """Slots of the window that lie in the future."""
        return self._lifter.future

    @property
    def lookback_s(self) -> float:
        """How far a window reaches into the past; infinite where it is the frame alone."""
        return (self._lifter.past + 0.5) * self._lifter.period_s if self._lifter.past else math.inf

    @property
    def lookahead_s(self) -> float:
        """How far a window reaches into the future, to the end of its last slot."""
        return (self._lifter.future + 0.5) * self._lifter.period_s

    def lift(self, tracks: Sequence[Track], stamp_ns: int, view: View) -> list[Pose3D]:
        """
        Return the tracks' 3D poses at a time, camera frame, metres.

        stamp_ns  when each of the tracks was sighted; sightings before and after it help
        """
        if not tracks:
            return []
        keys = [position(track, stamp_ns) for track in tracks]
        windows = [self._window(*seen) for seen in zip(tracks, keys, strict=True)]
        lifted = split(self._run(windows, view.config.inference))
        return [
            self._finish(track, track.sightings[key], window, pose, view)
            for track, key, window, pose in zip(tracks, keys, windows, lifted, strict=True)
        ]

    def warm_up(self, settings: InferenceConfig, most: int = 1) -> None:
        """Run the network for 1 to most people nowhere; raise ValueError if that goes wrong."""
        slots = self._lifter.past + 1 + self._lifter.future
        causal = np.arange(slots) <= self._lifter.past
        for people in range(1, most + 1):
            self._run(people * [Aimed(empty_window(causal), np.eye(3))], settings)

    def _run(self, windows: Sequence[Aimed], settings: InferenceConfig) -> LiftedPose:
        inputs = [window.inputs for window in windows]
        batch = Window(*(np.concatenate(parts) for parts in zip(*inputs, strict=True)))
        lifted = self._lifter.lift(batch, settings.lift_steps, settings.hypotheses)
        check_finite('the lifter', lifted.hypotheses, lifted.covariance)
        return lifted

    def _window(self, track: Track, key: int) -> Aimed:
        sightings = list(track.sightings)
        slots = time_slots(
            [s.stamp_ns for s in sightings],
            key,
            self._lifter.past,
            self._lifter.future,
            self._lifter.period_s,
        )
        rotation = look_at(np.append(centre(sightings[key]), 1.0))
        window = empty_window(np.array([slot is not None for slot in slots]))
        filled = window.present
        seen = [sightings[slot] for slot in slots if slot is not None]
        window.rays[filled], window.covariance[filled], window.score[filled] = turn(
            np.stack([s.rays for s in seen]),
            np.stack([s.covariance for s in seen]),
            np.stack([s.score for s in seen]),
            rotation,
        )
        return Aimed(window, rotation)

    def _finish(
        self, track: Track, sighting: Sighting, window: Aimed, pose: LiftedPose, view: View
    ) -> Pose3D:
        R = window.rotation.T  # back into the camera
        turned = LiftedPose(pose.hypotheses @ R.T, pose.mean @ R.T, R @ pose.covariance @ R.T)
        states = joint_states(sighting, view.camera)
        body = track.body or self._usual_body(view.config.person_height_m)
        placed = Placement.unknown(body)
        if view.calibrated:
            placed = self._place(window, pose, body).turned(R)
            measured = measure(placed, turned, sighting, states == JointState.MEASURED, view)
            if measured is not None:
                placed, track.body = measured, remembered(measured.body)
        size, relative = placed.body.mean, placed.body.mean * turned.mean[0]
        shape = with_size(size**2 * turned.covariance[0], relative, placed.body.deviation)
        shape[HIP] = 0  # against itself
        root = placed.root if view.calibrated else np.zeros(3)
        hypotheses = size * turned.hypotheses[0] + root
        return Pose3D(
            relative + root,
            placed.joint_covariance(relative, shape) if view.calibrated else shape,
            shape,
            placed.covariance,
            hypotheses,
            np.full(len(hypotheses), 1 / len(hypotheses)),
            states,
            placed.body.source if view.calibrated else ScaleSource.NONE,
        )

    def _usual_body(self, height_m: float) -> BodySize:
        """Return the size of somebody of whom only the height is known; 0 = not even that."""
        if not height_m:
            return AVERAGE
        return BodySize(height_m / self._lifter.height_m, HEIGHT_DEVIATION, ScaleSource.HEIGHT)

    def _place(self, window: Aimed, pose: LiftedPose, body: BodySize) -> Placement:
        key = self._lifter.past
        return place(
            pose.mean[0],
            pose.covariance[0],
            window.inputs.rays[0, key],
            window.inputs.covariance[0, key],
            window.inputs.score[0, key],
            body,
        )


def empty_window(present: NDArray[np.bool_]) -> Window:
    """Return the window of one person whose slots (T,) know no joint."""
    shape = (1, len(present), len(H36M_17.joints))
    return Window(np.zeros((*shape, 2)), np.zeros((*shape, 2, 2)), np.zeros(shape), present[None])


def measure(
    placed: Placement,
    pose: LiftedPose,
    sighting: Sighting,
    seen: NDArray[np.bool_],
    view: View,
) -> Placement | None:
    """Correct a placement by the depth image, camera frame; None where there is none to do it."""
    if view.depth is None or not np.isfinite(placed.root).all():
        return None
    radius = window_radius(float(view.camera.K[0, 0]), float(placed.root[2]))
    surface = surface_depths(view.depth, sighting.pose.xy, seen, radius)
    return refine(placed, pose.mean[0], pose.covariance[0], sighting.rays, surface)


def remembered(body: BodySize) -> BodySize:
    """Return what later images may know of a body that a depth image told."""
    return replace(body, deviation=max(body.deviation, LEAST_DEVIATION))


def position(track: Track, stamp_ns: int) -> int:
    """Return which of its sightings a track had at that time."""
    return max(i for i, s in enumerate(track.sightings) if s.stamp_ns == stamp_ns)


def split(lifted: LiftedPose) -> list[LiftedPose]:
    """Return the poses of a batch one by one, each as a batch of one."""
    return [
        LiftedPose(lifted.hypotheses[i, None], lifted.mean[i, None], lifted.covariance[i, None])
        for i in range(len(lifted.mean))
    ]


def joint_states(sighting: Sighting, camera: Camera) -> NDArray[np.uint8]:
    """Say for every joint (J,) whether it was measured, inferred or lies out of view."""
    size, xy = np.array([camera.width, camera.height]), sighting.pose.xy
    inside = ((xy > -0.5) & (xy < size - 0.5)).all(axis=1)
    outside = np.isfinite(xy).all(axis=1) & ~inside
    states = np.where(sighting.score > 0, JointState.MEASURED, JointState.INFERRED)
    return np.where(outside, JointState.OUT_OF_VIEW, states).astype(np.uint8)
