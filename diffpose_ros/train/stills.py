"""Labelled pictures as training samples of the video estimator: short windows from stills."""

from dataclasses import dataclass

import cv2
from diffpose_ros.core.skeleton import Skeleton
from diffpose_ros.data.labelled import People
from diffpose_ros.train import augment
from diffpose_ros.train.augment import chance, Strength
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from torch.utils.data import Dataset

ABSENT = 0.05  # of the crop's height; joints less far outside teach nothing
NOWHERE = -1000.0  # pixels; the heatmap of a joint there is empty
BACKWARDS = 0.3  # of the films run backwards: in recordings, later frames show people move, too


@dataclass(frozen=True)
class Wish:
    """What the next sample shall be: it travels to the worker that makes it."""

    seed: int
    size: tuple[int, int]  # columns, rows
    window: bool  # a window of several frames, or the key frame alone


@dataclass(frozen=True)
class Mixture:
    """Sources of people, and the share of the single frames and of the windows that each gives."""

    sources: tuple[People, ...]
    shares: tuple[float, ...]
    window_shares: tuple[float, ...]

    def draw(self, rng: Generator, window: bool) -> tuple[People, int]:
        """Return a source and a position in it."""
        shares = self.window_shares if window else self.shares
        p = np.array(shares) / sum(shares)
        source = self.sources[rng.choice(len(self.sources), p=p)]
        return source, int(rng.integers(len(source)))


class WindowDataset(Dataset):
    """
    Makes windows on demand: dataset[wish] is a sample, the same for the same wish.

    A sample is a dictionary of arrays: frames (T, 3, h, w) uint8 RGB, present (T,) bool,
    xy (J, 2) pixels of the key frame's crop, weight (J,). T is 1 without a window. Joints well
    outside what is shown are NOWHERE: they are not to be found.
    """

    def __init__(self, mixture: Mixture, past: int, future: int, strength: Strength) -> None:
        self.mixture, self.past, self.future = mixture, past, future
        self.strength = strength

    def __getitem__(self, wish: Wish) -> dict[str, NDArray]:
        """Return the sample that the wish describes."""
        rng = np.random.default_rng(wish.seed)
        people, i = self.mixture.draw(rng, wish.window)
        other_picture = people.pictures[rng.integers(len(people))]
        skeleton, labelled = people.skeleton, people.labelled[i]
        view = augment.draw_view(people.xy[i], labelled, skeleton, wish.size, rng, self.strength)
        fill = cv2.resize(other_picture, wish.size) if chance(rng, 0.3) else None
        film = [*(people.earlier[i] if wish.window else ()), people.pictures[i]]
        frames, present = self._show(film, view, fill, other_picture, wish, rng)
        xy = augment.move_points(view, people.xy[i])
        if augment.is_mirrored(view):
            xy, labelled = xy[skeleton.mirror], labelled[skeleton.mirror]
        shown = augment.Shown(np.zeros(2), np.array(wish.size) - 1.0)
        if labelled.any() and chance(rng, self.strength.cut_share):
            shown = augment.cut_person(shown, xy[labelled], rng)
            shown.hide_the_rest(frames)
        if chance(rng, self.strength.grey_share):
            frames = augment.grey(frames)
        beyond = shown.beyond(xy)
        absent = beyond > ABSENT * wish.size[1]
        xy[absent] = NOWHERE
        weight = joint_weights(skeleton) * (labelled & ((beyond < 0.5) | absent))
        return {
            'frames': frames.transpose(0, 3, 1, 2),
            'present': present,
            'xy': xy.astype(np.float32),
            'weight': weight.astype(np.float32),
        }

    def _show(
        self,
        film: list[NDArray[np.uint8]],
        view: NDArray[np.float64],
        fill: NDArray[np.uint8] | None,
        other: NDArray[np.uint8],
        wish: Wish,
        rng: Generator,
    ) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
        offsets = np.arange(-self.past, self.future + 1) if wish.window else np.zeros(1, int)
        present = draw_holes(offsets, rng)
        when = -offsets if len(film) > 1 and chance(rng, BACKWARDS) else offsets
        if len(film) > 1:  # what was not filmed is a hole
            present &= (when <= 0) & (when > -len(film))
        colours = augment.colour_table(rng) if chance(rng, 0.8) else None
        views = augment.camera_path(view, wish.size, offsets, rng)
        frames = np.zeros((len(offsets), wish.size[1], wish.size[0], 3), np.uint8)
        for k in np.flatnonzero(present):
            picture = film[when[k] - 1] if len(film) > 1 else film[0]
            seen = augment.show(picture, views[k], wish.size, fill)
            frames[k] = spoil(seen, colours, other, rng, self.strength)
        return frames, present


def draw_holes(offsets: NDArray[np.integer], rng: Generator) -> NDArray[np.bool_]:
    """Return which frames (T,) exist: half of the time no future, each other one may be lost."""
    present = rng.random(len(offsets)) < 0.85
    if chance(rng, 0.5):
        present &= offsets <= 0
    return present | (offsets == 0)


def spoil(
    picture: NDArray[np.uint8],
    colours: NDArray | None,
    other: NDArray,
    rng: Generator,
    strength: Strength,
) -> NDArray[np.uint8]:
    """Return a frame as cameras and scenes spoil it."""
    if colours is not None:
        picture = cv2.LUT(picture, colours)
    if chance(rng, strength.cover_share):
        picture = augment.cover(picture, other, rng)
    if chance(rng, strength.blur_share):
        picture = augment.blur(picture, rng)
    if chance(rng, strength.grain_share):
        picture = augment.grain(picture, rng)
    return picture


def joint_weights(skeleton: Skeleton) -> NDArray[np.float64]:
    """Return the weights (J,) of the PoseTrack literature: the ends of the limbs count more."""
    heavy = {'elbow': 1.2, 'knee': 1.2, 'wrist': 1.5, 'ankle': 1.5}
    return np.array([heavy.get(name[2:], 1.0) for name in skeleton.joints])
