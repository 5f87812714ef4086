"""Results as JSON and CSV: numbers as they are, what is unknown as null or an empty cell."""

from collections.abc import Iterable, Iterator
import csv
from dataclasses import asdict
import json
from pathlib import Path
from typing import Any

from diffpose_ros.core.clip import NANOSECONDS
from diffpose_ros.core.files import atomic_path
from diffpose_ros.core.people import (
    Box,
    FrameResult,
    InferenceInfo,
    Person,
    Pose2D,
    Pose3D,
    ScaleSource,
    TrackState,
)
from diffpose_ros.core.skeleton import Skeleton
from diffpose_ros.offline.segments import Answer
import numpy as np
from numpy.typing import NDArray

COLUMNS = (
    'time_s track_id joint x_px y_px score_2d x_m y_m z_m sd_x_m sd_y_m sd_z_m joint_state'.split()
)


def to_json(answer: Answer) -> dict[str, Any]:
    """Return an answer in the terms of JSON; shapes, units and frames are those of core.people."""
    times = {'stages_ms': answer.stages_ms} if answer.stages_ms else {}
    return {
        'time_ns': answer.time_ns,
        'size': list(answer.size),
        'stamp_ns': answer.result.stamp_ns,
        'people': [_plain(asdict(person)) for person in answer.result.people],
        'lost': list(answer.result.lost),
        'info': _plain(asdict(answer.result.info)),
        **times,
    }


def from_json(document: dict[str, Any]) -> Answer:
    """Return the answer that to_json was given."""
    info = document['info']
    result = FrameResult(
        document['stamp_ns'],
        tuple(_person(person) for person in document['people']),
        InferenceInfo(**{**info, 'degraded': frozenset(info['degraded'])}),
        tuple(document['lost']),
    )
    width, height = document['size']
    return Answer(document['time_ns'], (width, height), result, document.get('stages_ms', {}))


def write_json(path: Path, answers: Iterable[Answer], skeleton: Skeleton) -> None:
    """Write everything that is known, one image per line, as one JSON document."""
    head = {'skeleton': skeleton.name, 'joints': skeleton.joints, 'edges': skeleton.edges}
    with atomic_path(path) as partial, partial.open('w') as file:
        file.write(json.dumps(head)[:-1] + ', "frames": [')
        comma = '\n'
        for answer in answers:
            file.write(comma + json.dumps(to_json(answer), allow_nan=False))
            comma = ',\n'
        file.write('\n]}\n')


def write_csv(path: Path, answers: Iterable[Answer], skeleton: Skeleton) -> None:
    """Write a table with one row per image, person and joint."""
    with atomic_path(path) as partial, partial.open('w', newline='') as file:
        writer = csv.writer(file, lineterminator='\n')
        writer.writerow(COLUMNS)
        for answer in answers:
            for person in answer.result.people:
                writer.writerows(_rows(answer, person, skeleton))


def _rows(answer: Answer, person: Person, skeleton: Skeleton) -> Iterator[list[Any]]:
    """Return the rows of a person, numbers rounded to what is worth keeping."""
    unknown = np.full((len(skeleton.joints), 3), np.nan)
    image, space, spread, states = unknown, unknown, unknown, np.zeros(len(unknown), np.uint8)
    if person.pose2d:
        image = np.column_stack([person.pose2d.xy, person.pose2d.score])
    if person.pose3d:
        space, states = person.pose3d.xyz, person.pose3d.state
        spread = np.sqrt(np.diagonal(person.pose3d.covariance, axis1=1, axis2=2))
    numbers = np.column_stack([image, space, spread])
    for joint, values, state in zip(skeleton.joints, numbers, states, strict=True):
        cells = [f'{value:.4f}' if np.isfinite(value) else '' for value in values]
        yield [f'{answer.time_ns / NANOSECONDS:.6f}', person.track_id, joint, *cells, int(state)]


def _plain(value: Any) -> Any:
    """Return arrays as lists, sets sorted, numbers that are none as None."""
    if isinstance(value, dict):
        return {key: _plain(part) for key, part in value.items()}
    if isinstance(value, np.ndarray):
        return np.where(np.isfinite(value), value.astype(object), None).tolist()
    return sorted(value) if isinstance(value, frozenset) else value


def _person(document: dict[str, Any]) -> Person:
    pose2d, pose3d = document['pose2d'], document['pose3d']
    return Person(
        document['track_id'],
        TrackState(document['track_state']),
        document['age_s'],
        Box(**document['box']),
        Pose2D(*(_floats(pose2d[name]) for name in ('xy', 'covariance', 'score')))
        if pose2d
        else None,
        _pose3d(pose3d) if pose3d else None,
    )


def _pose3d(document: dict[str, Any]) -> Pose3D:
    xyz = _floats(document['xyz'])
    return Pose3D(
        xyz,
        _floats(document['covariance']),
        _floats(document['relative_covariance']),
        _floats(document['root_covariance']),
        _floats(document['hypotheses']).reshape(-1, *xyz.shape),
        _floats(document['weights']),
        np.array(document['state'], np.uint8),
        ScaleSource(document['scale_source']),
    )


def _floats(values: list) -> NDArray[np.float64]:
    return np.array(values, np.float64)
