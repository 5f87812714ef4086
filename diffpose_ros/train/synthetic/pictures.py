"""Whole pictures with no, one or several people, as the person detector sees them."""

from collections.abc import Sequence

from diffpose_ros.train.synthetic.effects import sensor_noise, softened
from diffpose_ros.train.synthetic.scenes import Cast, sample_track, Studio
from diffpose_ros.train.synthetic.stage import person_truth, Truth
import numpy as np
from numpy.typing import NDArray

Picture = NDArray[np.uint8]
Labels = dict[str, NDArray[np.generic]]

SIZES = ((320, 240), (240, 320))
COUNTS = (0.08, 0.3, 0.22, 0.16, 0.12, 0.07, 0.05)  # chances of 0 to 6 people
MAX_PEOPLE = len(COUNTS) - 1
LEAST_VISIBLE = 4  # joints of a person that a detector is asked for


def render_picture(studio: Studio, cast: Cast) -> tuple[list[Picture], Labels]:
    """Draw one whole picture and its row of labels."""
    rng = studio.rng
    count = int(rng.choice(len(COUNTS), p=COUNTS))
    actors = studio.actors(cast, count, np.zeros(1), rng.uniform(0.5, 2.0))
    target = rng.normal([0, 0.85, 0], [0.4, 0.2, 0.4])
    size = SIZES[rng.integers(len(SIZES))]
    track = sample_track(target, float(np.exp(rng.uniform(-2.0, 0.3))), size, rng)
    setting, view = studio.setting(actors, track), track.at(0.0)
    picture, depth_m = studio.renderer.draw(setting.scene(actors, 0), view)
    studio.renderer.release(*setting.sent)
    picture = softened(sensor_noise(picture, rng.exponential(2.5), rng), rng.uniform(0.5, 1))
    return [picture], picture_row(
        [person_truth(a.body, a.poses[0], view, depth_m) for a in actors]
    )


def picture_row(truths: Sequence[Truth]) -> Labels:
    """Return one picture's labels, padded to MAX_PEOPLE; people hardly seen are left out."""
    joints = np.full((MAX_PEOPLE, 15, 2), np.nan, np.float32)
    boxes = np.full((MAX_PEOPLE, 4), np.nan, np.float32)
    visible = np.zeros((MAX_PEOPLE, 15), bool)
    seen = [truth for truth in truths if truth.visible.sum() >= LEAST_VISIBLE]
    for i, truth in enumerate(seen):
        joints[i], boxes[i], visible[i] = truth.joints_px, truth.box, truth.visible
    count = np.array(len(seen))
    return {'count': count, 'joints_px': joints, 'visible': visible, 'boxes': boxes}
