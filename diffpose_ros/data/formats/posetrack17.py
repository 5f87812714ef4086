"""PoseTrack 2017: one JSON file a video, {"annolist": [frame, ...]}, each value in a list."""

from collections.abc import Mapping
from typing import Any

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


def parse(document: Entry) -> tuple[str, tuple[FrameLabels, ...]]:
    """Return the name of the format and the frames."""
    frames = enumerate(document['annolist'])
    return 'posetrack17', tuple(parse_frame(place, entry) for place, entry in frames)


def parse_frame(place: int, entry: Entry) -> FrameLabels:
    """Return one frame; without anybody in it, it was not labelled."""
    people = tuple(parse_person(rectangle) for rectangle in entry['annorect'])
    regions = entry.get('ignore_regions') or []
    return FrameLabels(
        name=entry['image'][0]['name'],
        number=place,
        people=people,
        ignored=tuple(parse_region(region['point']) for region in regions),
        labelled=bool(people),
    )


def parse_region(points: list[Entry]) -> Floats:
    """Return a polygon (n, 2)."""
    return np.array([[point['x'][0], point['y'][0]] for point in points], dtype=np.float64)


def parse_person(entry: Entry) -> PersonLabels:
    """Return one person; of several points for one joint the first counts."""
    xy, score = np.full((J, 2), np.nan), np.full(J, NO_SCORE)
    for point in reversed(points_of(entry)):
        joint = point['id'][0]
        if joint in range(J):
            xy[joint] = first_number(point, 'x'), first_number(point, 'y')
            score[joint] = first_number(point, 'score') if 'score' in point else NO_SCORE
    head = None
    if 'x1' in entry:
        head = np.array([first_number(entry, key) for key in ('x1', 'y1', 'x2', 'y2')])
    track = entry['track_id'][0] if 'track_id' in entry else None
    return PersonLabels(xy, score, head=head, track_id=track)


def first_number(entry: Entry, key: str) -> float:
    """Return a value; raise ValueError when it is no finite number."""
    return float(numbers({key: entry[key][:1]}, key, 1)[0])


def points_of(entry: Entry) -> list[Entry]:
    """Return the points of a person; files write nobody's points in three ways."""
    annotation = entry.get('annopoints') or [{}]
    return (annotation[0] or {}).get('point', [])


def compose(frames: tuple[FrameLabels, ...]) -> dict[str, Any]:
    """Return the document with the people of the frames as predictions."""
    return {
        'annolist': [
            {
                'image': [{'name': frame.name}],
                'imgnum': [place + 1],
                'annorect': [compose_person(person) for person in frame.people],
            }
            for place, frame in enumerate(frames)
        ]
    }


def compose_person(person: PersonLabels) -> dict[str, Any]:
    """Return one person; the corners are those of the head, or of the whole person."""
    corners = box_of(person).corners if person.head is None else person.head
    points = [
        {
            'id': [int(joint)],
            'x': [float(person.xy[joint, 0])],
            'y': [float(person.xy[joint, 1])],
            'score': [float(person.score[joint])],
        }
        for joint in np.flatnonzero(person.labelled)
    ]
    return {
        **{key: [float(n)] for key, n in zip(('x1', 'y1', 'x2', 'y2'), corners, strict=True)},
        'score': [float(person.score[person.labelled].mean())],
        'track_id': [person.track_id],
        'annopoints': [{'point': points}],
    }
