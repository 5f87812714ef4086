"""
Person detector: finds people in a whole picture, to start tracks.

What a box means: the body, limbs included, seen or covered by others, cut at the border of the
picture. It is learned as the tight box of the body's joints (ankles to top of the head, wrists)
grown on every side by 5 % of its longer side, because hands and feet reach beyond the joints.
"""

import cv2
from diffpose_ros.core.checkpoint import building, Checkpoint, restore
from diffpose_ros.core.config import DetectorConfig
from diffpose_ros.core.detector_network import DetectorNetwork, PADDING
from diffpose_ros.core.light import well_lit
from diffpose_ros.core.people import Box, check_finite, overlaps
from diffpose_ros.video2d.layers import fold_batch_norms, to_channels_last
import numpy as np
from numpy.typing import NDArray
import torch
from torch import Tensor
from torch.nn import functional as F

Floats = NDArray[np.floating]
BODY_MARGIN = 0.05  # of the joint box's longer side
LONGER_SIDE = DetectorConfig().longer_side
MOST_OF_LAST = 200  # pixels of the smallest view: people who fill it are known


def body_corners(joints: Floats) -> NDArray[np.float64]:
    """Return left, top, right, bottom of the body whose joints (J, 2) are given, in pixels."""
    low, high = joints.min(axis=0), joints.max(axis=0)
    margin = BODY_MARGIN * np.max(high - low)
    return np.concatenate([low - margin, high + margin]).astype(float)


class PersonDetector:
    """
    Finds people with a DetectorNetwork that knows people of 20 to 140 pixels.

    The picture is shown to it at several sizes, each half of the one before: the small people are
    found in the largest view, the large people in the smallest.

    longer_side   of the picture in its largest view, network pixels
    lowest_score  candidates below are not returned; the caller sets its own threshold above
    precision     numbers that the network computes in
    """

    def __init__(
        self,
        network: DetectorNetwork,
        device: torch.device,
        longer_side: int = LONGER_SIDE,
        lowest_score: float = 0.1,
        precision: torch.dtype = torch.float32,
    ) -> None:
        fold_batch_norms(network.eval())
        self._network = to_channels_last(network).to(device, precision)
        self._device, self._precision = device, precision
        self._views = [longer_side]
        while self._views[-1] > MOST_OF_LAST:
            self._views.append(self._views[-1] // 2)
        self._lowest_score = lowest_score

    @classmethod
    def from_checkpoint(
        cls,
        checkpoint: Checkpoint,
        device: torch.device,
        precision: torch.dtype = torch.float32,
        longer_side: int = LONGER_SIDE,
    ) -> 'PersonDetector':
        """Build the network that the checkpoint describes and load its weights."""
        with building(checkpoint):
            network = DetectorNetwork(**checkpoint.config)
            restore(network, checkpoint)
            return cls(network, device, longer_side, precision=precision)

    def warm_up(self) -> None:
        """Run the network on an empty picture; raise ValueError if that goes wrong."""
        empty = np.zeros((3 * self._views[0], 4 * self._views[0], 3), np.uint8)
        self.detect(empty)

    def detect(self, image: NDArray[np.uint8]) -> list[Box]:
        """
        Return the people of a picture, best score first, each once.

        image    (H, W, 3)  RGB, any size and aspect
        returns  boxes in pixels of the image
        """
        shown, found = well_lit(shrink(image, self._views[0])), []
        for longer_side in self._views:
            shown = shrink(shown, longer_side)
            found.append(self._candidates(shown, image.shape))
        scores, boxes = (np.concatenate(parts) for parts in zip(*found, strict=True))
        order = np.argsort(-scores, kind='stable')
        scores, boxes = scores[order], boxes[order]
        kept = keep_distinct(boxes, scores)
        return to_boxes(boxes[kept], scores[kept])

    @torch.inference_mode()
    def _candidates(
        self, shown: NDArray[np.uint8], shape: tuple[int, ...]
    ) -> tuple[Floats, Floats]:
        """Return scores (n,) and corners (n, 4) in an image of this shape, seen in one view."""
        pictures = as_input(shown, self._device).to(self._precision)
        logits, corners = (x.float() for x in self._network(pictures))
        scores, boxes = peaks(logits[0].sigmoid(), corners[0], self._lowest_score)
        check_finite('the detector', logits.cpu().numpy(), boxes)  # a score of NaN is no candidate
        height, width = shown.shape[:2]
        boxes = np.clip(boxes, -0.5, np.array([width, height] * 2) - 0.5)
        scale = np.array([shape[1] / width, shape[0] / height] * 2)
        return scores, (boxes + 0.5) * scale - 0.5


def shrink(image: NDArray[np.uint8], longer_side: int) -> NDArray[np.uint8]:
    """Return the picture resized to the longer side, aspect kept."""
    height, width = image.shape[:2]
    scale = longer_side / max(height, width)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(image, size, interpolation=how), np.uint8)


def as_input(image: NDArray[np.uint8], device: torch.device) -> Tensor:
    """
    Return the picture as a batch of one, padded with grey to sides the network takes.

    To twice the least side at least: in bfloat16, a convolution over the two columns that would be
    left of a narrower picture reads memory that nobody wrote.
    """
    height, width = image.shape[:2]
    right, below = (max(-n % PADDING, 2 * PADDING - n) for n in (width, height))
    x = torch.from_numpy(image).to(device).permute(2, 0, 1)[None].float() / 255
    return F.pad(x, (0, right, 0, below), value=0.5)


def peaks(score: Tensor, corners: Tensor, lowest: float) -> tuple[Floats, Floats]:
    """
    Return the cells that no neighbour surpasses, best first.

    score    (rows, columns)     0 to 1
    corners  (4, rows, columns)  left, top, right, bottom
    returns  (n,) scores and (n, 4) corners, float64
    """
    highest = F.max_pool2d(score[None], 3, stride=1, padding=1)[0]
    found = (score == highest) & (score >= lowest)
    scores, boxes = score[found].cpu().numpy(), corners[:, found].T.cpu().numpy()
    order = np.argsort(-scores, kind='stable')
    return scores[order].astype(np.float64), boxes[order].astype(np.float64)


def keep_distinct(boxes: Floats, scores: Floats, most_iou: float = 0.5) -> list[int]:
    """
    Return which boxes (n, 4), best first, are not duplicates of a better one.

    A box nearly inside a clearly better one is a part of that body, not another person.
    """
    iou, inside = overlaps(boxes, boxes)
    same = (iou > most_iou) | (inside > 0.85) & (scores[:, None] < 0.6 * scores)
    kept: list[int] = []
    for i in range(len(boxes)):
        if not same[i, kept].any():
            kept.append(i)
    return kept


def to_boxes(corners: Floats, scores: Floats) -> list[Box]:
    """Return corners (n, 4) and scores (n,) as boxes."""
    return [
        Box((left + right) / 2, (top + bottom) / 2, right - left, bottom - top, score)
        for (left, top, right, bottom), score in zip(
            corners.tolist(), scores.tolist(), strict=True
        )
    ]
