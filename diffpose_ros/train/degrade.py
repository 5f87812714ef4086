"""Pictures in other light, and as poor cameras give them."""

import cv2
from diffpose_ros.data.frames import Image
from diffpose_ros.train.augment import grey
import numpy as np


def recoloured(image: Image, rng: np.random.Generator, strength: float) -> Image:
    """Return the picture in other light: exposure, contrast, gamma, tint, sometimes grey."""
    gain = np.exp(rng.normal(0, 0.2 * strength) + rng.normal(0, 0.06 * strength, 3))
    offset, gamma = rng.normal(0, 0.08 * strength), np.exp(rng.normal(0, 0.2 * strength))
    values = np.linspace(0, 1, 256)[:, None] ** gamma * np.exp(rng.normal(0, 0.6 * strength))
    table = np.clip((values - 0.5) * gain + 0.5 + offset, 0, 1) * 255
    image = cv2.LUT(image, table.astype(np.uint8)[None])
    if rng.random() < 0.25 * strength:
        image = grey(image)
    return image


def degraded(image: Image, rng: np.random.Generator) -> Image:
    """Return the picture as a poor camera gives it: blurred, moved, noisy, compressed."""
    if rng.random() < 0.2:
        image = cv2.GaussianBlur(image, (0, 0), rng.uniform(0.4, 1.2))
    if rng.random() < 0.1:
        kernel = np.zeros((7, 7), np.float32)
        kernel[3, :] = 1 / 7
        turn = cv2.getRotationMatrix2D((3, 3), rng.uniform(0, 180), 1)
        kernel = cv2.warpAffine(kernel, turn, (7, 7))
        image = cv2.filter2D(image, -1, kernel / max(kernel.sum(), 1e-6))
    if rng.random() < 0.2:
        noise = rng.normal(0, rng.uniform(2, 14), image.shape)
        image = np.clip(image + noise, 0, 255).astype(np.uint8)
    if rng.random() < 0.2:
        quality = [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(25, 80))]
        image = cv2.imdecode(cv2.imencode('.jpg', image, quality)[1], 1)
    return image
