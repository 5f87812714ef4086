"""People found by a detector of Hugging Face transformers: RT-DETR or D-FINE, any size."""

from dataclasses import dataclass
from importlib import import_module
from typing import Any

import cv2
from diffpose_ros.core.detector import keep_distinct, to_boxes
from diffpose_ros.core.people import Box, check_finite
import numpy as np
from numpy.typing import NDArray
import torch
from torch import Tensor

FAMILIES = ('rt_detr', 'rt_detr_v2', 'd_fine')  # whose scores are a sigmoid per class
PERSON = 'person'
LOWEST_SCORE = 0.1  # as of our own detector; the tracker has its threshold above


@dataclass(frozen=True)
class Preparation:
    """
    How a picture becomes the model's input; the defaults are those of both families.

    size  (columns, rows)
    """

    size: tuple[int, int] = (640, 640)
    scale: float = 1 / 255
    mean: tuple[float, ...] = (0.0, 0.0, 0.0)
    deviation: tuple[float, ...] = (1.0, 1.0, 1.0)

    @classmethod
    def from_dict(cls, told: dict[str, Any]) -> 'Preparation':
        """Read what a preprocessor_config.json says; ValueError where it fixes no size."""
        given = told.get('size', {'width': cls.size[0], 'height': cls.size[1]})
        if not isinstance(given, dict) or not {'width', 'height'} <= given.keys():
            raise ValueError(f'detector.model takes pictures of {given}; give one of fixed size')
        size = given['width'], given['height']
        scale = told.get('rescale_factor', cls.scale) if told.get('do_rescale', True) else 1.0
        if not told.get('do_normalize', False):
            return cls(size, scale)
        mean, deviation = tuple(told['image_mean']), tuple(told['image_std'])
        return cls(size, scale, mean, deviation)

    def __call__(self, image: NDArray[np.uint8]) -> Tensor:
        """Return a picture (H, W, 3) RGB as (1, 3, rows, columns)."""
        shown = cv2.resize(image, self.size, interpolation=cv2.INTER_LINEAR)
        values = (self.scale * shown - np.array(self.mean)) / np.array(self.deviation)
        return torch.from_numpy(np.float32(values)).permute(2, 0, 1)[None]


class TransformersDetector:
    """
    Finds people with a detection model of transformers.

    model   torch module that answers (1, 3, rows, columns) with logits (1, Q, classes) and
            pred_boxes (1, Q, 4): middle and size in shares of the picture
    person  which class is a person
    """

    def __init__(
        self, model: Any, preparation: Preparation, person: int, device: torch.device
    ) -> None:
        self._model = model.eval().to(device)
        self._prepare, self._person, self._device = preparation, person, device

    @classmethod
    def load(cls, name: str, device: torch.device) -> 'TransformersDetector':
        """
        Load a model by its id on the hub, which is downloaded once, or from a local folder.

        raises  OSError, or ValueError that says what is missing
        """
        transformers = _transformers()
        model = transformers.AutoModelForObjectDetection.from_pretrained(
            name, use_safetensors=True
        )
        if model.config.model_type not in FAMILIES:
            raise ValueError(
                f'detector.model = {name} is a {model.config.model_type}; '
                f'give a model of one of {list(FAMILIES)}'
            )
        return cls(model, _preparation(name), _person_class(model.config.id2label), device)

    def warm_up(self) -> None:
        """Run the model on an empty picture; raise ValueError if that goes wrong."""
        self.detect(np.zeros((*self._prepare.size[::-1], 3), np.uint8))

    @torch.inference_mode()
    def detect(self, image: NDArray[np.uint8]) -> list[Box]:
        """
        Return the people of a picture, best score first, each once.

        image    (H, W, 3)  RGB, any size and aspect
        returns  boxes in pixels of the image
        """
        answer = self._model(pixel_values=self._prepare(image).to(self._device))
        scores = answer.logits[0, :, self._person].sigmoid().double().cpu().numpy()
        shares = answer.pred_boxes[0].double().cpu().numpy()
        check_finite('the detector', scores, shares)
        order = np.argsort(-scores, kind='stable')
        order = order[scores[order] >= LOWEST_SCORE]
        boxes = _corners(shares[order], image.shape[1], image.shape[0])
        kept = keep_distinct(boxes, scores[order])
        return to_boxes(boxes[kept], scores[order][kept])


def _transformers() -> Any:
    try:
        return import_module('transformers')
    except ImportError as error:
        raise ValueError(
            'detector.source = transformers needs the package transformers '
            f"({error}); pip install 'transformers>=5', or set it to embedded"
        ) from error


def _preparation(name: str) -> Preparation:
    """Return what the model's own configuration says of its input, or what is usual."""
    base = import_module('transformers.image_processing_base')
    try:
        told, _ = base.ImageProcessingMixin.get_image_processor_dict(name)
    except OSError:
        return Preparation()
    return Preparation.from_dict(told)


def _person_class(labels: dict[int, str]) -> int:
    for number, label in labels.items():
        if label.lower() == PERSON:
            return int(number)
    raise ValueError(f'detector.model knows no {PERSON!r}, only {sorted(labels.values())}')


def _corners(shares: NDArray[np.float64], width: int, height: int) -> NDArray[np.float64]:
    """Return left, top, right, bottom (n, 4) in pixels, centres at integers, in the picture."""
    middle, half = shares[:, :2], shares[:, 2:] / 2
    edges = np.clip(np.concatenate([middle - half, middle + half], axis=1), 0, 1)
    return edges * np.array([width, height] * 2) - 0.5
