"""How people look: skin, hair, clothes; every choice is drawn from a generator."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating]
Picture = NDArray[np.uint8]

ALL = (-99.0, 99.0)
NONE = (99.0, -99.0)
ON_ARM = 0.02  # points farther along the arm belong to it
SKINS = np.array(
    [[0.87, 0.66, 0.55], [0.80, 0.56, 0.43], [0.70, 0.47, 0.34], [0.55, 0.35, 0.24],
     [0.38, 0.23, 0.16], [0.24, 0.14, 0.10]]
)  # fmt: skip
HAIRS = np.array(
    [[0.02, 0.02, 0.02], [0.06, 0.04, 0.03], [0.14, 0.08, 0.04], [0.35, 0.22, 0.10],
     [0.55, 0.42, 0.22], [0.40, 0.14, 0.05], [0.45, 0.45, 0.45]]
)  # fmt: skip


@dataclass(frozen=True)
class Region:
    """
    A part of the body's surface in the coordinates of Body.places.

    Points of an arm need only lie in `arm`; all others in `leg` and `trunk`. Everywhere `scalp`.
    """

    arm: tuple[float, float] = ALL
    leg: tuple[float, float] = ALL
    trunk: tuple[float, float] = ALL
    scalp: tuple[float, float] = ALL

    def rows(self) -> Floats:
        """Return the limits, (4, 2)."""
        return np.array([self.arm, self.leg, self.trunk, self.scalp])

    def holds(self, places: Floats) -> NDArray[np.bool_]:
        """Say which points with these places (n, 4) lie inside, as the shader does."""
        low, high = self.rows().T
        inside = (places >= low) & (places < high)
        on_arm = places[:, 0] > ON_ARM
        return np.where(on_arm, inside[:, 0], inside[:, 1] & inside[:, 2]) & inside[:, 3]


EVERYWHERE = Region()
NOWHERE = Region(arm=NONE, leg=NONE)


@dataclass(frozen=True)
class Garment:
    """
    One layer over the body, or hair.

    surface    which of the body's surfaces carries it
    inflate_m  how far it stands off
    fabric     (rows, columns, 3) sRGB; repeat = its copies per metre, along x and y
    """

    surface: str
    region: Region
    fabric: Picture
    inflate_m: float = 0.006
    repeat: tuple[float, float] = (2.0, 2.0)
    shine: float = 0.0
    wrinkle: float = 0.25
    hides_skin: bool = True

    def covered(self) -> Region:
        """Return where the skin need not be drawn: a little less than the garment shows."""
        return Region(
            *((low + 0.03, high - 0.03) for low, high in self.region.rows()[:3].tolist()),
            scalp=self.region.scalp,
        )


@dataclass(frozen=True)
class Look:
    """One person's appearance; colours linear RGB. At most three garments hide skin."""

    skin: Floats
    hair: Floats
    iris: Floats
    brows: float
    garments: tuple[Garment, ...]


def plain(colour: Floats, size: int = 8) -> Picture:
    """Return a fabric of one sRGB colour (0 to 1)."""
    return np.broadcast_to(to_bytes(colour), (size, size, 3)).copy()


def to_bytes(colour: Floats) -> Picture:
    """Turn 0..1 into 0..255."""
    return (np.clip(colour, 0, 1) * 255).astype(np.uint8)


def cloth_colour(rng: np.random.Generator) -> Floats:
    """Draw a colour as clothes have it: greys, blues and dark tones often, any hue sometimes."""
    hue, saturation = rng.uniform(0, 180), 255 * rng.beta(1.2, 2.0)
    value = 255 * rng.beta(1.6, 1.4)
    hsv = np.array([[[hue, saturation, value]]], np.uint8)
    return cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB)[0, 0] / 255.0


def pattern(rng: np.random.Generator, photographs: list[Picture], size: int = 128) -> Picture:
    """Draw a fabric: plain, stripes, checks, dots or a piece of a photograph."""
    a, b = cloth_colour(rng), cloth_colour(rng)
    y, x = np.mgrid[:size, :size] / size
    n = int(rng.integers(1, 7))
    kind = rng.choice(['plain', 'rows', 'columns', 'checks', 'dots', 'photo', 'block'],
                      p=[0.42, 0.12, 0.06, 0.1, 0.06, 0.14, 0.1])  # fmt: skip
    masks = {
        'plain': np.zeros_like(x),
        'rows': (y * n) % 1 < 0.5,
        'columns': (x * n) % 1 < 0.5,
        'checks': 0.5 * ((x * n) % 1 < 0.5) + 0.5 * ((y * n) % 1 < 0.5),
        'dots': ((x * n) % 1 - 0.5) ** 2 + ((y * n) % 1 - 0.5) ** 2 < 0.06,
        'block': y < rng.uniform(0.2, 0.8),
    }
    if kind == 'photo':
        return tinted(piece(photographs, size, size, rng), a, rng.uniform(0.2, 0.8))
    return to_bytes(a + (b - a) * masks[str(kind)][..., None].astype(float))


def tinted(picture: Picture, colour: Floats, strength: float) -> Picture:
    """Pull a picture towards a colour."""
    return (picture * (1 - strength) + 255 * colour * strength).astype(np.uint8)


def piece(
    photographs: list[Picture], width: int, height: int, rng: np.random.Generator
) -> Picture:
    """Return a random piece of a random photograph, resized."""
    photo = photographs[rng.integers(len(photographs))]
    rows, columns = photo.shape[:2]
    scale = rng.uniform(0.35, 1.0) * min(rows / height, columns / width)
    h, w = max(2, int(scale * height)), max(2, int(scale * width))
    top, left = rng.integers(rows - h + 1), rng.integers(columns - w + 1)
    cut = photo[top : top + h, left : left + w]
    cut = cut[:, ::-1] if rng.random() < 0.5 else cut
    area = cv2.INTER_AREA if w > width else cv2.INTER_CUBIC
    return cv2.resize(np.ascontiguousarray(cut), (width, height), interpolation=area)


def shirt(fabric: Picture, sleeve: float, hem: float, loose_m: float) -> Garment:
    """Return a top; sleeve along the arm (0.25 short, 1 long), hem up the trunk (0 = hips)."""
    region = Region(arm=(0.0, sleeve), trunk=(hem, 1.02))
    return Garment('helper-tights', region, fabric, loose_m)


def trousers(fabric: Picture, end: float, waist: float, loose_m: float) -> Garment:
    """Return trousers or shorts; end along the leg (0.4 shorts, 1 long)."""
    region = Region(arm=NONE, leg=(-9.0, end), trunk=(-9.0, waist))
    return Garment('helper-tights', region, fabric, loose_m, wrinkle=0.2)


def skirt(fabric: Picture, end: float) -> Garment:
    """Return a skirt that ends along the leg."""
    region = Region(arm=NONE, leg=(-9.0, end), trunk=(-9.0, 0.4))
    return Garment('helper-skirt', region, fabric, 0.004)


def shoes(fabric: Picture, start: float) -> Garment:
    """Return shoes, socks or boots from this place along the leg down."""
    region = Region(arm=NONE, leg=(start, 9.0), trunk=(-9.0, 0.0))
    return Garment('helper-tights', region, fabric, 0.009, shine=0.15, wrinkle=0.05)


def hair_layers(kind: str, colour: Floats, rng: np.random.Generator) -> tuple[Garment, ...]:
    """Return the layers of a hairstyle: none, short, full or long; colour linear RGB."""
    light = rng.uniform(0.75, 1.25, (1, 64, 1)) * np.ones((64, 1, 3))
    streaks = to_bytes(colour ** (1 / 2.2) * light)
    off_m = {'none': 0.0, 'short': 0.006, 'full': 0.02, 'long': 0.012}[kind]
    line, end = float(rng.uniform(-0.1, 0.2)), float(rng.uniform(0.6, 1.0))
    cap = Region(arm=NONE, trunk=(1.0, 9.0), scalp=(line, 99.0))
    hanging = Region(trunk=(end, 9.0), scalp=(0.0, 99.0))
    layers = [
        Garment('body', cap, streaks, off_m, (9.0, 2.0), 0.05, 0.35, hides_skin=False),
        Garment('helper-hair', hanging, streaks, 0.0, (9.0, 1.0), 0.05, 0.3, hides_skin=False),
    ]
    return tuple(layers[: {'none': 0, 'long': 2}.get(kind, 1)])


def sample_look(rng: np.random.Generator, photographs: list[Picture]) -> Look:
    """Draw one person's skin, hair and clothes."""
    tone = rng.uniform(0, len(SKINS) - 1)
    skin = SKINS[int(tone)] + (SKINS[int(tone) + 1] - SKINS[int(tone)]) * (tone % 1)
    hair = HAIRS[rng.integers(len(HAIRS))] * rng.uniform(0.7, 1.3)
    top = pattern(rng, photographs)
    bottom = top if rng.random() < 0.12 else plain(cloth_colour(rng) * 0.8)
    sleeve = float(rng.choice([0.0, 0.2, 0.3, 0.45, 0.97], p=[0.1, 0.2, 0.25, 0.1, 0.35]))
    end = float(rng.choice([0.15, 0.35, 0.5, 0.75, 0.98], p=[0.08, 0.2, 0.15, 0.07, 0.5]))
    loose = float(rng.uniform(0.002, 0.016))
    wears_skirt = rng.random() < 0.1
    hem = float(rng.choice([0.2, -0.02, -0.1]))
    waist = hem + 0.06  # no more than the shirt leaves to see, so that the layers never mix
    lower = (
        skirt(bottom, float(rng.uniform(0.3, 0.8)))
        if wears_skirt
        else trousers(bottom, end, waist, float(rng.uniform(0.002, 0.012)))
    )
    style = str(rng.choice(['none', 'short', 'full', 'long'], p=[0.08, 0.4, 0.22, 0.3]))
    return Look(
        skin=skin * rng.uniform(0.85, 1.1),
        hair=hair,
        iris=np.array([[0.1, 0.05, 0.02], [0.1, 0.2, 0.3], [0.1, 0.15, 0.06]])[rng.integers(3)],
        brows=float(rng.uniform(0.4, 0.95)),
        garments=(
            lower,
            shirt(top, sleeve, hem, max(loose, lower.inflate_m + 0.004)),
            shoes(
                plain(cloth_colour(rng)), float(rng.choice([0.96, 0.9, 0.75], p=[0.7, 0.2, 0.1]))
            ),
            *hair_layers(style, hair, rng),
        ),
    )
