"""From frames and tracks to 2D poses: sticky crops, reused features, windows with holes."""

from collections.abc import Sequence

from diffpose_ros.core.clip import neighbours
from diffpose_ros.core.config import InferenceConfig
from diffpose_ros.core.crop import Crop
from diffpose_ros.core.people import check_finite, Frame, Pose2D
from diffpose_ros.core.skeleton import H36M_17, joint_map
from diffpose_ros.core.track import Track
from diffpose_ros.video2d.estimator import Pose2DBatch, VideoEstimator
import numpy as np
import torch
from torch import Tensor

UNKNOWN = 0.01  # a joint with a lower score is no estimate at all
SPACING_S = 0.09  # between the frames of a window: nearer ones hardly differ
MIN_GAP_S = 0.045  # from the key frame, which comes at any time, to the nearest of them
MAX_GAP_S = 0.35  # frames farther apart tell little about each other


class Stage2D:
    """
    Runs the video estimator on all tracks at once.

    A track keeps its crop while it suits the person; so the backbone features of earlier frames
    stay exact and only the newest frame needs a pass through the backbone.
    """

    def __init__(self, estimator: VideoEstimator) -> None:
        self._estimator = estimator
        self._to_h36m = joint_map(estimator.skeleton, H36M_17)

    @property
    def frames_needed(self) -> int:
        """How many frames to keep: the newest, and earlier ones SPACING_S apart for a window."""
        return self._estimator.past + 2  # the nearest of them may be too near

    @property
    def window_frames(self) -> int:
        """How many images a window holds at most, the newest included."""
        return self._estimator.past + 1

    @property
    def later_frames(self) -> int:
        """Frames SPACING_S apart after the key frame that a window can reach."""
        return self._estimator.future + 1

    def estimate(
        self,
        frames: Sequence[Frame],
        tracks: Sequence[Track],
        settings: InferenceConfig,
        later: Sequence[Frame] = (),
    ) -> list[Pose2D]:
        """
        Return the poses of the tracks in the last of the frames, in H36M_17.

        Who was never seen yet, and is hardly ever somebody, is looked for in that frame alone.

        later  frames that follow it, where they are known
        """
        known = [*frames, *later]
        found: dict[int, Pose2D] = {}
        for newcomers, reach in ((False, settings.window), (True, 1)):
            group = [i for i, track in enumerate(tracks) if (track.hits == 0) == newcomers]
            if group:
                window = self._window(known, len(frames) - 1, reach)
                poses = self._look([tracks[i] for i in group], window, settings)
                found |= zip(group, poses, strict=True)
        forget_others(tracks, known)
        return [found[i] for i in range(len(tracks))]

    def warm_up(self, settings: InferenceConfig, most: int = 1) -> None:
        """Run the networks for 1 to most people nowhere; raise ValueError if that goes wrong."""
        estimator = self._estimator
        width, height = estimator.crop_size
        empty = np.zeros((most, height, width, 3), np.uint8)
        slot = torch.arange(estimator.slots)
        for people in range(1, most + 1):
            seen = estimator.features(empty[:people], estimator.views(settings.ensembles))
            features = seen[:, None].expand(-1, estimator.slots, -1, -1, -1, -1)
            for present in (slot <= estimator.past, slot == estimator.past):
                self._run(features, present.expand(people, -1), settings)

    def _window(self, known: list[Frame], key: int, reach: int) -> list[Frame | None]:
        """Return the frames around the key frame, fewer than reach slots away; None is a hole."""
        past, future = self._estimator.past, self._estimator.future
        stamps_ns = [frame.stamp_ns for frame in known]
        slots = neighbours(stamps_ns, key, past, future, MIN_GAP_S, MAX_GAP_S)
        return [
            None if i is None or abs(slot - past) >= reach else known[i]
            for slot, i in enumerate(slots)
        ]

    def _look(
        self, tracks: list[Track], window: list[Frame | None], settings: InferenceConfig
    ) -> list[Pose2D]:
        """Return the poses that the crops of the tracks show through a window."""
        crops = [self._aim(track) for track in tracks]
        self._fill_features(window, tracks, crops, self._estimator.views(settings.ensembles))
        batch = self._run(*self._stack(window, tracks), settings)
        return [
            self._in_image(crop, *joints)
            for crop, *joints in zip(crops, batch.xy, batch.covariance, batch.score, strict=True)
        ]

    def _run(self, features: Tensor, present: Tensor, settings: InferenceConfig) -> Pose2DBatch:
        batch = self._estimator.estimate(features, present, settings.steps, settings.ensembles)
        check_finite('the 2D estimator', batch.xy, batch.covariance, batch.score)
        return batch

    def _aim(self, track: Track) -> Crop:
        if track.crop is None or not track.crop.suits(track.aim):
            track.crop = Crop.around(track.aim, self._estimator.crop_size)
            track.features.clear()
        return track.crop

    def _fill_features(
        self, window: list[Frame | None], tracks: Sequence[Track], crops: list[Crop], views: int
    ) -> None:
        frames = [frame for frame in window if frame is not None]
        missing = [
            (track, crop, frame)
            for track, crop in zip(tracks, crops, strict=True)
            for frame in frames
            if len(track.features.get(id(frame), ())) != views
        ]
        if missing:
            cuts = np.stack([crop.cut(frame.image) for _, crop, frame in missing])
            for (track, _, frame), feature in zip(
                missing, self._estimator.features(cuts, views), strict=True
            ):
                track.features[id(frame)] = feature

    @staticmethod
    def _stack(window: list[Frame | None], tracks: Sequence[Track]) -> tuple[Tensor, Tensor]:
        shown = next(frame for frame in window if frame is not None)
        hole = torch.zeros_like(tracks[0].features[id(shown)])
        slots = [
            hole if frame is None else track.features[id(frame)]
            for track in tracks
            for frame in window
        ]
        features = torch.stack(slots).unflatten(0, (len(tracks), -1))  # (B, T, V, C, h, w)
        present = torch.tensor([frame is not None for frame in window])
        return features, present.expand(len(tracks), -1)

    def _in_image(
        self, crop: Crop, xy: np.ndarray, covariance: np.ndarray, score: np.ndarray
    ) -> Pose2D:
        weights = self._to_h36m
        spread = crop.covariance_to_image(covariance).reshape(-1, 4)
        covariances = (weights**2 @ spread).reshape(-1, 2, 2)
        # A joint derived from several is as sure as the least sure of them.
        least = np.where(weights > 0, score[None], 1.0).min(axis=1)
        told = (weights.sum(axis=1) > 0) & (least >= UNKNOWN)
        means = np.where(told[:, None], weights @ crop.to_image(xy), np.nan)
        return Pose2D(means, covariances, np.where(told, least, 0.0))


def forget_others(tracks: Sequence[Track], frames: Sequence[Frame]) -> None:
    """Keep the features of these frames alone."""
    kept = {id(frame) for frame in frames}
    for track in tracks:
        track.features = {i: f for i, f in track.features.items() if i in kept}
