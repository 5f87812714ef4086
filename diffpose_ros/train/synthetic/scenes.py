"""Draw random scenes: who moves where, in which room or photograph, seen from where."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from diffpose_ros.train.synthetic import scenery
from diffpose_ros.train.synthetic.bodies import Body, sample_phenotype
from diffpose_ros.train.synthetic.body_maker import BodyMaker
from diffpose_ros.train.synthetic.graphics import Person, SentSolid
from diffpose_ros.train.synthetic.looks import cloth_colour, piece, sample_look, tinted
from diffpose_ros.train.synthetic.motion import mirror, Motion, moved, on_floor, turn
from diffpose_ros.train.synthetic.render import Figure, Renderer, Scene
from diffpose_ros.train.synthetic.stage import contacts
from diffpose_ros.train.synthetic.view import Light, look_from, sample_light, View
import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating]
Picture = NDArray[np.uint8]

MAX_STEP_M = 0.12  # mean joint motion between two captured frames; more is a fault of the capture
BODIES, LOOKS, PEOPLE = 8, 12, 20  # that one cast holds
HEIGHT_M, NEAREST_M = 1.7, 1.3  # of a person; of a camera from its target
CELL_M = 0.012  # detail of bodies that are at most some hundred pixels tall


@dataclass(frozen=True)
class Material:
    """What scenes are made of; photographs may hide nobody, textures repeat."""

    motions: Sequence[Motion]
    photographs: list[Picture]
    textures: list[Picture]


@dataclass(frozen=True)
class Actor:
    """One dressed person and its poses (T, Q, 3, 4) in the world."""

    person: Person
    poses: Floats

    @property
    def body(self) -> Body:
        return self.person.body

    def joints(self) -> dict[str, Floats]:
        """Return the body's joints, name -> (T, 3)."""
        return self.body.joints(self.poses)

    def standing_at(self, place: Floats) -> 'Actor':
        """Return the same at a place (x, z) of the floor."""
        hip = self.joints()['hip'].mean(0)
        shift = np.array([place[0] - hip[0], 0, place[1] - hip[2]])
        return Actor(self.person, moved(self.poses, shift))


class Cast:
    """Bodies and looks in the graphics memory, enough for some scenes."""

    def __init__(
        self, renderer: Renderer, maker: BodyMaker, photographs: list[Picture],
        rng: np.random.Generator,
    ) -> None:  # fmt: skip
        self._renderer = renderer
        bodies = [
            renderer.send_body(maker.make(sample_phenotype(rng), CELL_M)) for _ in range(BODIES)
        ]
        looks = [renderer.send_look(sample_look(rng, photographs)) for _ in range(LOOKS)]
        pairs = [(body, look) for body in bodies for look in looks]
        chosen = rng.permutation(len(pairs))[:PEOPLE]
        self.people = [renderer.dress(*pairs[i]) for i in chosen]
        self._sent = [*bodies, *looks, *self.people]

    def release(self) -> None:
        """Free the graphics memory."""
        self._renderer.release(*self._sent)

    def actor(self, joints: Floats, place: Floats, rng: np.random.Generator) -> Actor:
        """Give a motion (T, 17, 3) to somebody who stands at place (x, z) on the floor."""
        person = self.people[rng.integers(len(self.people))]
        poses = on_floor(person.body, person.body.pose(joints))
        return Actor(person, poses).standing_at(place)


def smooth_motions(motions: Sequence[Motion]) -> list[Motion]:
    """Leave out clips with jumps."""

    def fastest(motion: Motion) -> float:
        steps = np.diff(motion.joints - motion.joints[:, :1], axis=0)
        return float(np.linalg.norm(steps, axis=-1).mean(-1).max())

    return [motion for motion in motions if fastest(motion) < MAX_STEP_M]


def sample_joints(motions: Sequence[Motion], times_s: Floats, rng: np.random.Generator) -> Floats:
    """Draw a motion and return its joints (T, 17, 3) at times from a random start, turned."""
    motion = motions[rng.integers(len(motions))]
    start = rng.uniform(0, max(motion.duration_s - times_s[-1], 0))
    joints = motion.at(start + times_s)
    joints = mirror(joints) if rng.random() < 0.5 else joints
    return turn(joints, rng.uniform(-np.pi, np.pi))


def sample_places(count: int, spread_m: float, rng: np.random.Generator) -> Floats:
    """Return places (n, 2) on the floor, x and z, metres; the first near the middle."""
    places = rng.normal(0, spread_m, (count, 2))
    places[:1] *= 0.1
    for i in range(1, count):
        for _ in range(10):
            if np.linalg.norm(places[:i] - places[i], axis=1).min() > 0.45:
                break
            places[i] = rng.normal(0, spread_m, 2)
    return places


@dataclass(frozen=True)
class Track:
    """A camera that drifts: from one view to another while a window of pictures is taken."""

    start: Floats  # position, metres
    target: Floats
    roll_rad: float
    drift: Floats  # (2, 3) metres a second, of position and target
    K: Floats
    size: tuple[int, int]

    def at(self, time_s: float) -> View:
        position, target = np.stack([self.start, self.target]) + time_s * self.drift
        rotation = look_from(position, target, self.roll_rad)
        return View(self.K, rotation, position, *self.size)


def sample_track(
    target: Floats, share: float, size: tuple[int, int], rng: np.random.Generator
) -> Track:
    """
    Draw a camera around a target point: any side, mostly level, at times high, low or rolled.

    share  of the picture's height that a standing person at the target fills
    """
    focal = max(size) * rng.uniform(0.75, 1.5)
    distance_m = max(HEIGHT_M * focal / (share * size[1]), NEAREST_M)
    around = rng.uniform(-np.pi, np.pi)
    height = float(np.clip(rng.normal(0.12, 0.18), -0.3, 0.6))
    height = rng.uniform(0.2, 1.3) if rng.random() < 0.18 else height
    way = np.array([np.sin(around) * np.cos(height), np.sin(height),
                    np.cos(around) * np.cos(height)])  # fmt: skip
    start = target + distance_m * way
    start[1] = max(start[1], 0.15)
    roll_deg = rng.uniform(-35, 35) if rng.random() < 0.2 else rng.normal(0, 5)
    K = np.array([[focal, 0, (size[0] - 1) / 2], [0, focal, (size[1] - 1) / 2], [0, 0, 1]])
    speed = rng.choice([0.0, 0.1, 0.5], p=[0.4, 0.4, 0.2])
    return Track(start, target, np.radians(roll_deg), speed * rng.normal(0, 1, (2, 3)), K, size)


@dataclass(frozen=True)
class Setting:
    """Everything but the people: solids, backdrop, light; `sent` is freed after use."""

    light: Light
    solids: list[tuple[SentSolid, Any]]
    photograph: tuple[Any, Floats] | None
    catcher: SentSolid | None
    sent: list[Any]

    def scene(self, actors: Sequence[Actor], moment: int) -> Scene:
        """Return the scene at one moment."""
        dark = np.concatenate([contacts(a.body, a.poses[moment]) for a in actors] or [
            np.zeros((0, 4))
        ])  # fmt: skip
        return Scene(
            [Figure(a.person, a.poses[moment]) for a in actors], self.light, self.solids,
            self.photograph, self.catcher, dark,
        )  # fmt: skip


def sample_setting(
    renderer: Renderer, material: Material, eye: Floats, people: Floats, rng: np.random.Generator
) -> Setting:
    """
    Draw a room or a photograph with a floor that takes shadows, and things that stand about.

    eye     (3,)    where the camera is
    people  (n, 2)  places to keep free
    """
    in_room = rng.random() < 0.5
    parts = [(thing, surface_texture(material, rng), True) for thing in things(eye, people, rng)]
    photograph, catcher, sent = None, None, []
    if in_room:
        parts += room(material, eye, rng)
    else:
        texture = renderer.texture(photo_backdrop(material, rng))
        photograph = (texture, np.array([[0.5, 0, 0.5], [0, 0.5, 0.5], [0, 0, 1]]))
        catcher = renderer.send_solid(scenery.floor(np.zeros(3), 12, 1))
        sent = [texture, catcher]
    solids = [(renderer.send_solid(s, casts), renderer.texture(t)) for s, t, casts in parts]
    return Setting(sample_light(rng), solids, photograph, catcher, [*solids, *sent])


def photo_backdrop(material: Material, rng: np.random.Generator) -> Picture:
    """Return a piece of a photograph, 320x320."""
    return piece(material.photographs, 320, 320, rng)


def surface_texture(material: Material, rng: np.random.Generator) -> Picture:
    """Draw a texture for a floor, wall or thing."""
    a, b = cloth_colour(rng), cloth_colour(rng)
    kind = rng.choice(['texture', 'photo', 'plaster', 'boards', 'tiles'],
                      p=[0.2, 0.2, 0.3, 0.15, 0.15])  # fmt: skip
    if kind == 'texture':
        return tinted(piece(material.textures, 256, 256, rng), a, rng.uniform(0.1, 0.7))
    if kind == 'photo':
        return piece(material.photographs, 256, 256, rng)
    if kind == 'plaster':
        return scenery.plaster(a, rng)
    return scenery.boards(a, b, rng) if kind == 'boards' else scenery.tiles(a, b, rng)


def room(
    material: Material, eye: Floats, rng: np.random.Generator
) -> list[tuple[scenery.Solid, Picture, bool]]:
    """Return floor and walls around the people and the camera."""
    half = np.abs(eye[[0, 2]]) + rng.uniform(0.8, 4.0, 2)
    half = np.maximum(half, 1.8)
    height = max(rng.uniform(2.4, 5.0), eye[1] + 0.3)
    repeat = rng.uniform(0.25, 1.0, 2)
    floor = scenery.floor(np.zeros(3), float(half.max()), repeat[0])
    walls = scenery.walls(np.zeros(3), half, height, repeat[1])
    surfaces = [surface_texture(material, rng) for _ in range(2)]
    return [(floor, surfaces[0], False), (walls, surfaces[1], False)]


def things(eye: Floats, people: Floats, rng: np.random.Generator) -> list[scenery.Solid]:
    """Return boxes: some around the people, now and then one between them and the camera."""
    boxes = []
    for _ in range(rng.integers(0, 4)):
        place = rng.normal(0, 2.0, 2)
        away = np.linalg.norm(people - place, axis=1).min() if len(people) else 9.0
        if away > 0.8 and np.linalg.norm(place - eye[[0, 2]]) > 1.2:
            boxes.append(_box(place, rng.uniform([0.2, 0.3, 0.2], [1.2, 1.6, 0.8]), rng))
    if rng.random() < 0.25 and len(people):
        share = rng.uniform(0.3, 0.6)
        place = people[0] * (1 - share) + eye[[0, 2]] * share + rng.normal(0, 0.25, 2)
        thin = rng.random() < 0.4
        size = [0.08, 2.2, 0.08] if thin else rng.uniform([0.3, 0.4, 0.1], [0.9, 0.95, 0.5])
        if np.linalg.norm(place - eye[[0, 2]]) > 0.6 and np.linalg.norm(place - people[0]) > 0.5:
            boxes.append(_box(place, size, rng))
    return boxes


def _box(place: Floats, size: Floats, rng: np.random.Generator) -> scenery.Solid:
    return scenery.box(np.array([place[0], 0, place[1]]), size, rng.uniform(-3, 3), 1.0)


@dataclass(frozen=True)
class Studio:
    """All that scenes are made with."""

    renderer: Renderer
    maker: BodyMaker
    material: Material
    rng: np.random.Generator

    def cast(self) -> Cast:
        """Return new bodies and looks."""
        return Cast(self.renderer, self.maker, self.material.photographs, self.rng)

    def actors(self, cast: Cast, count: int, times_s: Floats, spread_m: float) -> list[Actor]:
        """Draw people who stand about and move, at these times."""
        places = sample_places(count, spread_m, self.rng)
        motions = [sample_joints(self.material.motions, times_s, self.rng) for _ in places]
        return [cast.actor(m, p, self.rng) for m, p in zip(motions, places, strict=True)]

    def setting(self, actors: Sequence[Actor], track: Track) -> Setting:
        """Draw what stands around these people, before this camera."""
        hips = np.array([actor.joints()['hip'][0] for actor in actors]).reshape(-1, 3)
        return sample_setting(self.renderer, self.material, track.start, hips[:, [0, 2]], self.rng)
