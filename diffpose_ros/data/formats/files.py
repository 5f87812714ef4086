"""Label files on disk: the format is told by the content; broken files give one ValueError."""

from collections.abc import Callable
import json
from pathlib import Path
from typing import Any

from diffpose_ros.core.files import write_atomically
from diffpose_ros.data.formats import coco, posetrack17
from diffpose_ros.data.formats.labels import FrameLabels, LabelFile

TRACK_IDS = 1000  # the official evaluators take 0 to 999

PREDICTION_FORMATS: dict[str, Callable[[tuple[FrameLabels, ...]], dict[str, Any]]] = {
    'posetrack17': posetrack17.compose,
    'posetrack18': lambda frames: coco.compose(frames, 'posetrack18'),
    'posetrack21': lambda frames: coco.compose(frames, 'posetrack21'),
}


def read_labels(path: Path) -> LabelFile:
    """Read labels or predictions: PoseTrack 17, 18 or 21, COCO or JHMDB in COCO's way."""
    document = read_json(path)
    try:
        parse = posetrack17.parse if 'annolist' in document else coco.parse
        dialect, frames = parse(document)
    except (KeyError, IndexError, TypeError, ValueError, AttributeError) as error:
        what = f'lacks {error}' if isinstance(error, KeyError) else str(error)
        raise ValueError(
            f'{path}: {what}; give labels as PoseTrack17, 18, 21, COCO or JHMDB write them'
        ) from error
    return LabelFile(path.stem, dialect, frames)


def read_json(path: Path) -> dict[str, Any]:
    """Read a JSON object."""
    try:
        document = json.loads(path.read_bytes())
    except ValueError as error:
        raise ValueError(f'{path} is not JSON ({error}); get the file again') from error
    except OSError as error:
        raise ValueError(f'{path} cannot be read ({error.strerror}); check the path') from error
    if not isinstance(document, dict) or not {'annolist', 'images'} & set(document):
        raise ValueError(f'{path} has neither annolist nor images; give a file of labels')
    return document


def write_predictions(path: Path, frames: tuple[FrameLabels, ...], form: str) -> None:
    """
    Write people for the official evaluators, under the same name as the labels.

    frames  all frames of the label file, in its order, with the predicted people in them
    form    posetrack17, posetrack18 or posetrack21, the format of the labels
    """
    if form not in PREDICTION_FORMATS:
        raise ValueError(f'no format {form!r} for predictions; use {list(PREDICTION_FORMATS)}')
    for frame in frames:
        check_frame(frame)
    document = PREDICTION_FORMATS[form](frames)
    write_atomically(path, json.dumps(document).encode())


def check_frame(frame: FrameLabels) -> None:
    """Raise ValueError for people whom the official evaluators would refuse."""
    tracks = [person.track_id for person in frame.people]
    if len(set(tracks)) < len(tracks) or not all(t in range(TRACK_IDS) for t in tracks):
        raise ValueError(
            f'{frame.name} has track_ids {tracks}; number people from 0 to {TRACK_IDS - 1},'
            ' each number once a frame'
        )
    if not all(person.labelled.any() for person in frame.people):
        raise ValueError(f'{frame.name} has a person without joints; leave such people out')
