"""People for the Rerun viewer: images, skeletons in the image and in space, as an .rrd file."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from diffpose_ros.core.files import atomic_path
from diffpose_ros.core.people import Person, Pose3D
from diffpose_ros.core.skeleton import Skeleton
from diffpose_ros.offline.draw import bone_side, Moment, side, SIDE_COLORS, SIGMAS, spheres
import numpy as np
from numpy.typing import NDArray

JPEG_QUALITY = 85
TIMELINE = 'video'


def rerun_sdk() -> Any:
    """Return the package of Rerun; ValueError when it is not installed."""
    try:
        import rerun
    except ImportError as error:
        raise ValueError('Rerun is not installed; pip install rerun-sdk') from error
    return rerun


def write_rerun(path: Path, moments: Iterable[Moment], skeleton: Skeleton) -> None:
    """Write a recording for the viewer of Rerun, whole or not at all."""
    rr = rerun_sdk()
    with atomic_path(path) as partial, rr.RecordingStream('diffpose') as log:
        log.set_log_time_enabled(False)  # the time of the video is the only one that tells
        log.set_log_tick_enabled(False)
        log.save(partial)
        log.log('space', rr.ViewCoordinates.RDF, static=True)
        shown: set[str] = set()
        for time_s, image, people in moments:
            log.set_time(TIMELINE, duration=time_s)
            log.log('image', rr.Image(image).compress(JPEG_QUALITY))
            drawn = {name: form for p in people for name, form in _forms(rr, p, skeleton)}
            gone = {name: rr.Clear(recursive=False) for name in shown - drawn.keys()}
            for name, form in (gone | drawn).items():
                log.log(name, form)
            shown = set(drawn)
        log.disconnect()  # the file is complete


def _forms(rr: Any, person: Person, skeleton: Skeleton) -> Iterator[tuple[str, Any]]:
    """Yield where somebody is to be logged, and as what."""
    if person.pose2d is not None:
        name = f'image/{person.track_id}'
        known = person.pose2d.score > 0
        lines, colors = _bones(person.pose2d.xy, known, skeleton)
        yield f'{name}/bones', rr.LineStrips2D(lines, colors=colors)
        yield f'{name}/joints', rr.Points2D(person.pose2d.xy[known])
    if person.pose3d is not None:
        name = f'space/{person.track_id}'
        known = np.isfinite(person.pose3d.xyz).all(axis=1)
        lines, colors = _bones(person.pose3d.xyz, known, skeleton)
        yield f'{name}/bones', rr.LineStrips3D(lines, colors=colors)
        yield f'{name}/sigma', _ellipsoids(rr, person.pose3d, known, skeleton)


def _bones(
    points: NDArray[np.floating], known: NDArray[np.bool_], skeleton: Skeleton
) -> tuple[list[NDArray[np.floating]], list[tuple[int, int, int]]]:
    """Return the bones (n, 2, 2 or 3) between known joints, and their colours."""
    bones = [
        (points[[a, b]], SIDE_COLORS[bone_side(*names)])
        for (a, b), names in zip(skeleton.edges, skeleton.bones, strict=True)
        if known[a] and known[b]
    ]
    return [line for line, _ in bones], [color for _, color in bones]


def _ellipsoids(rr: Any, pose: Pose3D, known: NDArray[np.bool_], skeleton: Skeleton) -> Any:
    """Return the 2-sigma ellipsoids of the joints against the body."""
    forms = spheres(pose.xyz[known], np.nan_to_num(pose.relative_covariance[known]), SIGMAS)
    names = [name for name, told in zip(skeleton.joints, known, strict=True) if told]
    return rr.Ellipsoids3D(
        centers=forms[:, :3],
        quaternions=[rr.Quaternion(xyzw=xyzw) for xyzw in forms[:, 3:7]],
        half_sizes=forms[:, 7:] / 2,
        colors=[SIDE_COLORS[side(name)] for name in names],
    )
