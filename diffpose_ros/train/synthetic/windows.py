"""Windows: a few pictures of one person in one fixed crop, as the 2D estimator sees them."""

from collections.abc import Sequence
from dataclasses import dataclass

from diffpose_ros.train.synthetic.bodies import posetrack
from diffpose_ros.train.synthetic.effects import blurred, sensor_noise, softened
from diffpose_ros.train.synthetic.scenes import Actor, Cast, sample_track, Setting, Studio
from diffpose_ros.train.synthetic.stage import person_truth, stacked, Truth
from diffpose_ros.train.synthetic.view import sample_close_place, View, window
import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating]
Picture = NDArray[np.uint8]
Labels = dict[str, NDArray[np.generic]]

WHOLE_SIZE, CROP_SIZE = (640, 480), (180, 240)
ENLARGE = 1.5  # crop over tight box of the joints
FRAMES = 3
SPACINGS_S = (1 / 30, 1 / 20, 1 / 15, 1 / 10, 1 / 6)
BLURRED_SHARE, EXPOSURES = 0.25, 3  # of the windows; moments of one blurred picture
OTHERS = (0.5, 0.28, 0.14, 0.08)  # chances of 0, 1, 2, 3 more people
SPREAD_M = 0.9
CLOSE = 0.6  # of the second people stand close to the first


@dataclass(frozen=True)
class Crop:
    """A rectangle of the whole picture: left, top and whole pixels per crop pixel."""

    left: float
    top: float
    scale: float

    def whole(self, pixels: Floats) -> Floats:
        """Turn crop pixels (..., 2) into pixels of the whole picture."""
        return (pixels + 0.5) * self.scale + [self.left, self.top] - 0.5


def render_window(studio: Studio, cast: Cast) -> tuple[list[Picture], Labels]:
    """Draw one window: its pictures and its row of labels."""
    rng = studio.rng
    ticks = sample_ticks(rng)
    count = 1 + int(rng.choice(len(OTHERS), p=OTHERS))
    actors = studio.actors(cast, count, ticks.ravel(), SPREAD_M)
    target = actors[0].joints()['spine'].mean(0)
    track = sample_track(target, float(np.exp(rng.uniform(-1.8, 0.15))), WHOLE_SIZE, rng)
    if count > 1 and rng.random() < CLOSE:
        place = sample_close_place(target, track.start, rng)
        actors[1] = actors[1].standing_at(place[[0, 2]])
    last = posetrack(actors[0].joints())[-1]
    crop = sample_crop(track.at(ticks[-1, -1]).project(last), rng)
    setting = studio.setting(actors, track)
    views = [window(track.at(t), crop.left, crop.top, crop.scale, *CROP_SIZE) for t in ticks.flat]
    pictures, truths = shoot(studio, setting, actors, views, ticks.shape[1])
    studio.renderer.release(*setting.sent)
    middle = ticks.shape[1] // 2
    times_s = ticks[:, middle] - ticks[-1, middle]
    row = window_row(truths, views[middle :: ticks.shape[1]], times_s, crop)
    return [bordered(picture, crop) for picture in pictures], row


def sample_ticks(rng: np.random.Generator) -> Floats:
    """Return the moments (FRAMES, exposures) at which the scene is drawn, seconds from 0."""
    steps = np.arange(FRAMES) + rng.uniform(-0.1, 0.1, FRAMES)
    times_s = rng.choice(SPACINGS_S) * (steps - steps[0])
    if rng.random() >= BLURRED_SHARE:
        return times_s[:, None]
    return times_s[:, None] + np.linspace(0, rng.uniform(0.01, 0.035), EXPOSURES)


def sample_crop(joints_px: Floats, rng: np.random.Generator) -> Crop:
    """Return a loose crop around a person's joints (15, 2) in the whole picture."""
    low, high = joints_px.min(0), joints_px.max(0)
    size = np.array(CROP_SIZE)
    scale = ENLARGE * rng.uniform(0.85, 1.1) * max(*((high - low) / size), 0.02)
    centre = (low + high) / 2 + rng.normal(0, 0.04, 2) * scale * size
    left, top = centre - (size - 1) / 2 * scale
    return Crop(float(left), float(top), float(scale))


def shoot(
    studio: Studio, setting: Setting, actors: Sequence[Actor], views: Sequence[View], moments: int
) -> tuple[list[Picture], list[Truth]]:
    """Draw every picture of a window from its moments, with one grain and softness."""
    grain, softness = studio.rng.exponential(2.5), studio.rng.uniform(0.35, 1.0)
    pictures, truths = [], []
    for first in range(0, len(views), moments):
        span = range(first, first + moments)
        drawn = [studio.renderer.draw(setting.scene(actors, i), views[i]) for i in span]
        exposed = sensor_noise(blurred([picture for picture, _ in drawn]), grain, studio.rng)
        pictures.append(softened(exposed, softness))
        middle, depth_m = first + moments // 2, drawn[moments // 2][1]
        truth = person_truth(actors[0].body, actors[0].poses[middle], views[middle], depth_m)
        truths.append(truth)
    return pictures, truths


def bordered(picture: Picture, crop: Crop) -> Picture:
    """Blacken what lies beyond the border of the whole picture."""
    y, x = np.mgrid[: picture.shape[0], : picture.shape[1]]
    return picture * inside_whole(crop, np.stack([x, y], axis=-1))[..., None].astype(np.uint8)


def inside_whole(crop: Crop, pixels: Floats) -> NDArray[np.bool_]:
    """Say which crop pixels (..., 2) the whole picture holds."""
    whole = crop.whole(pixels)
    return ((whole > -0.5) & (whole < np.array(WHOLE_SIZE) - 0.5)).all(-1)


def window_row(
    truths: Sequence[Truth], views: Sequence[View], times_s: Floats, crop: Crop
) -> Labels:
    """Return one window's labels; joints beyond the picture's border are not visible."""
    joints_px = stacked(truths, 'joints_px')
    return {
        'times_s': times_s.astype(np.float32),
        'joints_px': joints_px.astype(np.float32),
        'visible': stacked(truths, 'visible') & inside_whole(crop, joints_px),
        'joints_cam_m': stacked(truths, 'joints_cam_m').astype(np.float32),
        'K': np.stack([view.K for view in views]).astype(np.float32),
        'box': np.concatenate([joints_px[-1].min(0), joints_px[-1].max(0)]).astype(np.float32),
    }
