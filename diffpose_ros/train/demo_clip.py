"""
Render the clips of demo/: `python -m diffpose_ros.train.demo_clip --mocap FILE.npz --out demo`.

walk.mp4 shows one person who walks about a room, stops to direct the traffic and walks on;
crossing.mp4 two people who pass in front of each other. Beside each clip lie its calibration
(.yaml, ROS camera_info) and the exact joints of the bodies (.npz).
"""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
import logging
from pathlib import Path
from typing import Any

from diffpose_ros.core.skeleton import H36M_17
from diffpose_ros.train.synthetic import looks, motion, scenery
from diffpose_ros.train.synthetic.bodies import Body
from diffpose_ros.train.synthetic.body_maker import BodyMaker
from diffpose_ros.train.synthetic.effects import sensor_noise
from diffpose_ros.train.synthetic.film import write_calibration, write_video
from diffpose_ros.train.synthetic.graphics import SentSolid
from diffpose_ros.train.synthetic.looks import Garment, Look, Region
from diffpose_ros.train.synthetic.render import Figure, Renderer, Scene
from diffpose_ros.train.synthetic.retarget import unit
from diffpose_ros.train.synthetic.stage import contacts, person_truth, stacked, Truth
from diffpose_ros.train.synthetic.view import Light, look_from, View
import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d

Floats = NDArray[np.floating]
Picture = NDArray[np.uint8]
Room = list[tuple[SentSolid, Any]]

WIDTH, HEIGHT, FPS, FOCAL_PX = 640, 480, 15.0, 640.0
MOCAP_FPS = 30
K = np.array([[FOCAL_PX, 0, (WIDTH - 1) / 2], [0, FOCAL_PX, (HEIGHT - 1) / 2], [0, 0, 1]])
LIGHT = Light(
    to_light=unit(np.array([-0.55, 1.0, 0.75])),
    colour=np.array([1.35, 1.25, 1.1]),
    sky=np.array([0.60, 0.64, 0.70]),
    ground=np.array([0.30, 0.27, 0.23]),
)
BACK_M = 2.6  # the far wall lies this far behind the middle of the floor
SHADOWS = np.array([0.0, 0.8, -0.6, 4.2])  # the ball in which shadows fall
FLAT_PARTS = 4  # floor, walls, skirting and carpet throw no shadow
FADE = 12  # frames from one motion into the next

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Actor:
    """One person of a clip: body, look and poses (F, Q, 3, 4) on the floor y = 0."""

    body: Body
    look: Look
    poses: Floats


def main(arguments: Sequence[str] | None = None) -> None:
    """Render both clips."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--mocap', type=Path, required=True, help='clips, as cmu_train.npz')
    parser.add_argument('--out', type=Path, default=Path('demo'))
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format='%(message)s')
    options.out.mkdir(parents=True, exist_ok=True)
    motions = motion.load_motions(options.mocap)
    rng = np.random.default_rng(5)
    renderer = Renderer(scenery.smooth_noise(256, rng))
    room, maker = furnish(renderer, rng), BodyMaker()
    casts = {'walk': [walker(maker, motions)], 'crossing': crossers(maker, motions)}
    for name, actors in casts.items():
        frames, truths = film(renderer, room, actors, rng)
        save(options.out / name, frames, truths)


def walker(maker: BodyMaker, motions: list[motion.Motion]) -> Actor:
    """Return the person of walk.mp4: an arc of steps, signals with both arms, and away."""
    body = maker.make({'gender': 0.9, 'age': 0.7, 'muscle': 0.6, 'weight': 0.42, 'height': 0.55})
    steps, signals = find(motions, '02_01'), find(motions, 'directing_traffic_4')
    first, last = walking(steps, 4.8), walking(steps, 2.9)
    waves = motion.straight(signals.at(np.arange(4.0 * MOCAP_FPS) / MOCAP_FPS + 12.2))
    joints = motion.joined(motion.joined(first, waves, FADE), last, FADE)
    yaw_rad = turns(
        joints, [0, 0.19, 0.37, 0.43, 0.70, 0.80, 1], [1.57, 1.5, -1.2, 0, 0, -2.3, -2.7]
    )
    poses = motion.moved(performed(body, motion.turn(joints, yaw_rad)), [-0.55, 0, -0.55])
    return Actor(body, casual('long', 0.12, (0.75, 0.3, 0.25), (0.2, 0.28, 0.42)), poses)


def crossers(maker: BodyMaker, motions: list[motion.Motion]) -> list[Actor]:
    """Return two people who pass in front of each other, turn round and pass again."""
    actors = []
    for side, clip, speed, depth_m, shape, look in (
        (1, '02_01', 0.8, -0.2, {'gender': 0.1, 'age': 0.7, 'height': 0.6, 'weight': 0.5},
         casual('short', 0.05, (0.16, 0.38, 0.5), (0.25, 0.22, 0.2))),
        (-1, '02_02', 0.65, -1.05, {'gender': 0.9, 'age': 0.75, 'height': 0.5, 'weight': 0.45},
         casual('long', 0.35, (0.72, 0.66, 0.3), (0.2, 0.2, 0.3))),
    ):  # fmt: skip
        body = maker.make(shape)
        joints = walking(find(motions, clip), 6.0, speed)
        yaw_rad = side * turns(joints, [0, 0.4, 0.56, 1], [1.57, 1.57, -1.57, -1.57])
        joints = motion.turn(joints, yaw_rad)
        actors.append(Actor(body, look, motion.moved(performed(body, joints), [0, 0, depth_m])))
    return actors


def find(motions: list[motion.Motion], name: str) -> motion.Motion:
    """Return the clip whose name contains a text."""
    return next(clip for clip in motions if name in clip.name)


def walking(clip: motion.Motion, seconds: float, speed: float = 1.0) -> Floats:
    """Return steps that go on for so long, root-relative and along z."""
    times = np.arange(0, clip.duration_s, speed / clip.fps)
    return motion.looped(motion.straight(clip.at(times)), 24, round(seconds * MOCAP_FPS))


def turns(joints: Floats, shares: Sequence[float], yaws_rad: Sequence[float]) -> Floats:
    """Return a heading (F,) that passes smoothly through these after these shares of the time."""
    yaw_rad = np.interp(np.linspace(0, 1, len(joints)), shares, yaws_rad)
    return gaussian_filter1d(yaw_rad, 6)


def performed(body: Body, joints: Floats) -> Floats:
    """Return poses (F, Q, 3, 4) at the clip's frame rate; the path's middle over the origin."""
    poses = motion.walk(body, body.pose(joints))[:: round(MOCAP_FPS / FPS)]
    hip = body.joints(poses)['hip']
    return motion.moved(poses, -(hip.min(0) + hip.max(0)) / 2 * [1, 0, 1])


def casual(hair: str, tone: float, top: Sequence[float], bottom: Sequence[float]) -> Look:
    """Return T-shirt, jeans and trainers in these sRGB colours; tone 0 = light skin, 1 = dark."""
    stripe = looks.plain(np.array(top), 64)
    stripe[20:26] = 225
    skin = looks.SKINS[round(tone * (len(looks.SKINS) - 1))]
    colour = looks.HAIRS[2 if tone < 0.3 else 0]
    return Look(
        skin=skin,
        hair=colour,
        iris=np.array([0.1, 0.06, 0.03]),
        brows=0.8,
        garments=(
            looks.trousers(looks.plain(np.array(bottom)), 0.97, 0.06, 0.006),
            Garment('helper-tights', Region(arm=(0.0, 0.3), trunk=(0.0, 0.99)), stripe, 0.012,
                    (1.2, 1.2)),
            looks.shoes(looks.plain(np.array([0.3, 0.3, 0.32])), 0.96),
            *looks.hair_layers(hair, colour, np.random.default_rng(2)),
        ),
    )  # fmt: skip


def furnish(renderer: Renderer, rng: np.random.Generator) -> Room:
    """Return a room: boards, plaster, skirting, carpet, pictures on the wall, two cupboards."""
    from skimage import data

    wall = scenery.plaster(np.array([0.78, 0.75, 0.68]), rng)
    wood = scenery.boards(np.array([0.42, 0.27, 0.15]), np.array([0.62, 0.43, 0.26]), rng)
    carpet = scenery.plaster(np.array([0.40, 0.24, 0.22]), rng)
    white = looks.plain(np.full(3, 0.86))
    low, high = np.array([1.1, 0.75, 0.3]), np.array([0.9, 1.9, 0.4])
    parts = [
        (scenery.floor(np.zeros(3), 7, 0.8), wood),
        (scenery.walls(np.array([0, 0, 6 - BACK_M]), np.array([4.2, 6]), 3.2, 0.5), wall),
        (scenery.quad([-4.2, 0.12, 0.015 - BACK_M], [8.4, 0, 0], [0, -0.12, 0], 1), white),
        (scenery.quad([-1.6, 0.006, 1.0], [3.2, 0, 0], [0, 0, -2.0], 1), carpet),
        (scenery.box(np.array([-2.9, 0, 0.25 - BACK_M]), low, 0, 1), wood),
        (scenery.box(np.array([2.5, 0, 0.35 - BACK_M]), high, 0, 1), wood),
    ]
    for x, photograph in ((-1.5, data.coffee()), (0.05, data.rocket()), (1.4, data.chelsea())):
        parts += framed(x, photograph)
    return [
        (renderer.send_solid(solid, casts=i >= FLAT_PARTS), renderer.texture(picture))
        for i, (solid, picture) in enumerate(parts)
    ]


def framed(x: float, photograph: Picture) -> list[tuple[scenery.Solid, Picture]]:
    """Return a photograph in a dark frame on the far wall."""
    w, h = 0.75, 0.75 * photograph.shape[0] / photograph.shape[1]
    bottom = np.array([x, 1.55 - h / 2, -BACK_M])
    frame = scenery.box(bottom - [0, 0.04, 0], np.array([w + 0.08, h + 0.08, 0.05]), 0, 1)
    top_left = bottom + np.array([-w / 2, h, 0.03])
    canvas = scenery.quad(top_left, [w, 0, 0], [0, -h, 0], 1)
    canvas = scenery.Solid(canvas.points, canvas.normals, canvas.uv / canvas.uv.max(0))
    return [(frame, looks.plain(np.full(3, 0.18))), (canvas, photograph)]


def film(
    renderer: Renderer, room: Room, actors: list[Actor],
    rng: np.random.Generator,
) -> tuple[list[Picture], list[list[Truth]]]:  # fmt: skip
    """Render every frame; returns pictures and, per frame, each actor's truth."""
    people = [
        renderer.dress(renderer.send_body(a.body), renderer.send_look(a.look)) for a in actors
    ]
    count = min(len(actor.poses) for actor in actors)
    frames, truths = [], []
    for f in range(count):
        figures = [Figure(p, a.poses[f]) for p, a in zip(people, actors, strict=True)]
        dark = np.concatenate([contacts(a.body, a.poses[f]) for a in actors])
        view = camera(f / count)
        scene = Scene(figures, LIGHT, room, contacts=dark, shadows=SHADOWS)
        picture, depth_m = renderer.draw(scene, view)
        frames.append(sensor_noise(picture, 1.0, rng))
        truths.append([person_truth(a.body, a.poses[f], view, depth_m) for a in actors])
    return frames, truths


def camera(share: float) -> View:
    """Return the camera after this share of the clip: held by hand, almost still."""
    sway = 0.02 * np.array([np.sin(5 * share), np.sin(8 * share), 0])
    position = np.array([0.15, 1.45, 3.7]) + sway
    target = np.array([0.0, 0.88, 0.0]) + sway / 2
    return View(K, look_from(position, target), position, WIDTH, HEIGHT)


def save(path: Path, frames: list[Picture], truths: list[list[Truth]]) -> None:
    """Write the clip, its calibration and its truth; one person has no axis of people."""
    write_video(path.with_suffix('.mp4'), frames, FPS)
    write_calibration(path.with_suffix('.yaml'), K, WIDTH, HEIGHT)
    joints_cam_m = np.stack([stacked(people, 'joints_cam_m') for people in truths])
    people = joints_cam_m.shape[1]
    joints_cam_m = joints_cam_m[:, 0] if people == 1 else joints_cam_m
    homogeneous = joints_cam_m @ K.T
    np.savez_compressed(
        path.with_suffix('.npz'),
        joints_cam_m=joints_cam_m.astype(np.float32),
        joints_px=(homogeneous[..., :2] / homogeneous[..., 2:]).astype(np.float32),
        ids=np.arange(people), K=K, dist=np.zeros(5), fps=FPS,
        joint_names=np.array(H36M_17.joints),
    )  # fmt: skip
    logger.info('%s: %d frames, people: %d', path, len(frames), people)


if __name__ == '__main__':
    main()
