"""COCO's way to write key points, and the dialects of PoseTrack 2018, PoseTrack21 and JHMDB."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import PurePath
from typing import Any

from diffpose_ros.core.people import Box
from diffpose_ros.core.skeleton import POSETRACK_15
from diffpose_ros.data.formats.labels import (
    box_of,
    Floats,
    FrameLabels,
    J,
    NO_SCORE,
    numbers,
    PersonLabels,
)
import numpy as np

Entry = Mapping[str, Any]

POSETRACK_ORDER = (
    'nose head_bottom head_top left_ear right_ear left_shoulder right_shoulder left_elbow'
    ' right_elbow left_wrist right_wrist left_hip right_hip left_knee right_knee left_ankle'
    ' right_ankle'
).split()  # the ears are never labelled


def our_name(name: str) -> str:
    """Return how a joint is called here; a joint we lack keeps a name that we lack."""
    short = name.replace('left_', 'l_').replace('right_', 'r_')
    return 'neck' if short == 'head_bottom' else short


OUR_ORDER = [our_name(name) for name in POSETRACK_ORDER]


def parse(document: Entry) -> tuple[str, tuple[FrameLabels, ...]]:
    """Return the name of the format and the frames."""
    names = joint_names(document)
    dialect = dialect_of(document, names)
    people = defaultdict(list)
    for entry in document['annotations']:
        people[entry['image_id']].append(parse_person(entry, names, dialect))
    known = {image['id'] for image in document['images']}
    if not set(people) <= known:
        stray = sorted(set(people) - known)
        raise ValueError(f'annotations of image_id {stray[0]}, which is not among the images')
    return dialect, tuple(
        parse_frame(image, people[image['id']], dialect) for image in document['images']
    )


def joint_names(document: Entry) -> list[str]:
    """Return our names of the file's key points; submissions to PoseTrack21 do not list them."""
    described = [entry for entry in document.get('categories', []) if entry.get('keypoints')]
    return [our_name(name) for name in described[0]['keypoints']] if described else OUR_ORDER


def dialect_of(document: Entry, names: Sequence[str]) -> str:
    """Return the format's name, by what only one of them writes."""
    if 'belly' in names:
        return 'jhmdb'
    if 'neck' not in names:
        return 'coco'
    entries = [*document['images'], *document['annotations']]
    is_21 = any({'has_labeled_person', 'person_id'} & set(entry) for entry in entries)
    return 'posetrack21' if is_21 else 'posetrack18'


def parse_frame(image: Entry, people: Sequence[PersonLabels], dialect: str) -> FrameLabels:
    """Return one frame; PoseTrack 2018 counts those without anybody as not labelled."""
    labelled = dialect in ('coco', 'jhmdb') or bool(people)
    if dialect == 'posetrack21':
        labelled = bool(image.get('is_labeled', labelled))
    regions = zip(
        image.get('ignore_regions_x') or [], image.get('ignore_regions_y') or [], strict=True
    )
    return FrameLabels(
        name=image['file_name'],
        number=image['id'],
        people=tuple(people),
        ignored=tuple(np.column_stack(region).astype(np.float64) for region in regions),
        labelled=labelled,
    )


def parse_person(entry: Entry, names: Sequence[str], dialect: str) -> PersonLabels:
    """
    Return one person; a joint written as three zeros is not labelled.

    In COCO the third alone says so; the others write it 0 for hidden joints, too.
    """
    table = numbers(entry, 'keypoints', 3 * len(names)).reshape(-1, 3)
    telling = table[:, 2:] if dialect == 'coco' else table
    table[(telling == 0).all(axis=1)] = np.nan
    scores = numbers(entry, 'scores', len(names)) if entry.get('scores') else None
    first = 1.0 if dialect == 'jhmdb' else 0.0  # JHMDB counts pixels as Matlab does
    xy, score = np.full((J, 2), np.nan), np.full(J, NO_SCORE)
    for row, name in enumerate(names):
        if name in POSETRACK_15.joints:
            joint = POSETRACK_15.joints.index(name)
            xy[joint] = table[row, :2] - first
            score[joint] = NO_SCORE if scores is None else scores[row]
    return PersonLabels(
        xy, score, parse_box(entry, first), parse_head(entry), entry.get('track_id')
    )


def parse_box(entry: Entry, first: float) -> Box | None:
    """Return the person's box."""
    if not entry.get('bbox'):
        return None
    left, top, width, height = numbers(entry, 'bbox', 4)
    x, y = left + width / 2 - first, top + height / 2 - first
    return Box(float(x), float(y), float(width), float(height), float(entry.get('score', 1)))


def parse_head(entry: Entry) -> Floats | None:
    """Return left, top, right, bottom of the head."""
    if not entry.get('bbox_head'):
        return None
    left, top, width, height = numbers(entry, 'bbox_head', 4)
    return np.array([left, top, left + width, top + height])


def compose(frames: tuple[FrameLabels, ...], dialect: str) -> dict[str, Any]:
    """Return the document with the people of the frames as predictions."""
    images = [
        {
            'file_name': frame.name,
            'id': frame.number,
            'frame_id': frame.number,
            'vid_id': PurePath(frame.name).parent.name.split('_')[0],
            'nframes': len(frames),
        }
        for frame in frames
    ]
    category = {
        'supercategory': 'person',
        'name': 'person',
        'id': 1,
        'keypoints': POSETRACK_ORDER,
    }
    people = [
        compose_person(frame.number, place, person, dialect)
        for frame in frames
        for place, person in enumerate(frame.people)
    ]
    return {'images': images, 'annotations': people, 'categories': [category]}


def compose_person(image: int, place: int, person: PersonLabels, dialect: str) -> dict[str, Any]:
    """Return one person; PoseTrack21 wants a person_id besides the track_id."""
    rows = np.zeros((len(OUR_ORDER), 4))  # x, y, visible, score
    for row, name in zip(rows, OUR_ORDER, strict=True):
        joint = POSETRACK_15.joints.index(name) if name in POSETRACK_15.joints else None
        if joint is not None and person.labelled[joint]:
            row[:] = *person.xy[joint], 1, person.score[joint]
    box = box_of(person)
    entry = {
        'image_id': image,
        'id': 100 * image + place,
        'category_id': 1,
        'track_id': person.track_id,
        'bbox': [*map(float, box.corners[:2]), float(box.width), float(box.height)],
        'score': float(box.score),
        'keypoints': rows[:, :3].ravel().tolist(),
        'scores': rows[:, 3].tolist(),
    }
    return entry | ({'person_id': person.track_id} if dialect == 'posetrack21' else {})
