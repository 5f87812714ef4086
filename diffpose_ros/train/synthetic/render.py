"""Draw people, solids and photographs off-screen; world axes: y up, metres."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from diffpose_ros.train.synthetic.bodies import apply
from diffpose_ros.train.synthetic.graphics import Graphics, Person, SentSolid, set_uniforms
from diffpose_ros.train.synthetic.looks import EVERYWHERE, NOWHERE
from diffpose_ros.train.synthetic.view import FAR_M, Light, NEAR_M, View
import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating]
Picture = NDArray[np.uint8]

SHADOW_PX = 1024
SAMPLES = 4
MAX_CONTACTS = 24


@dataclass(frozen=True)
class Figure:
    """A dressed person in the scene, in its pose (Q, 3, 4)."""

    person: Person
    pose: Floats


@dataclass(frozen=True)
class Scene:
    """
    What one picture shows.

    solids      textured surfaces (sent)
    photograph  (texture, 3x3 window) behind everything, or None
    catcher     floor on which shadows fall over the photograph, or None
    contacts    (n, 4) points of dark contact, metres, and their radii
    shadows     (4,)   ball in which shadows fall, centre and radius; None = around the people
    """

    figures: Sequence[Figure]
    light: Light
    solids: Sequence[tuple[SentSolid, Any]] = ()
    photograph: tuple[Any, Floats] | None = None
    catcher: SentSolid | None = None
    contacts: Floats = field(default_factory=lambda: np.zeros((0, 4)))
    shadows: Floats | None = None


@dataclass(frozen=True)
class Canvas:
    """Where pictures of one size are drawn: several samples a pixel, then one."""

    soft: Any
    sharp: Any
    depth: Any


class Renderer(Graphics):
    """Draws scenes; returns the picture and the depth of every pixel."""

    def __init__(self, noise: Picture) -> None:
        super().__init__()
        context = self.context
        self._canvases: dict[tuple[int, int], Canvas] = {}
        self._shadow = context.depth_texture((SHADOW_PX, SHADOW_PX))
        self._shadow.compare_func = '<='
        self._shadow.repeat_x = self._shadow.repeat_y = False
        self._shadow_frame = context.framebuffer(depth_attachment=self._shadow)
        self._noise = self.texture(noise)
        self._bones = context.buffer(reserve=312 * 16)
        corners = context.buffer(np.array([-1, -1, 1, -1, -1, 1, 1, 1], 'f4').tobytes())
        photograph = self.programs['photograph']
        self._backdrop = context.vertex_array(photograph, [(corners, '2f', 'corner')])

    def draw(self, scene: Scene, view: View) -> tuple[Picture, NDArray[np.float32]]:
        """
        Return the picture (rows, columns, 3) RGB and the depth (rows, columns) in metres.

        The depth of a pixel without any surface is FAR_M.
        """
        shadow_clip = self._draw_shadows(scene)
        self._set_scene(scene, view, shadow_clip)
        canvas = self._canvas((view.width, view.height))
        canvas.soft.use()
        self.context.clear(0.5, 0.5, 0.5, 1.0)
        self.context.enable(self.gl.DEPTH_TEST)
        self._draw_backdrop(scene)
        for solid, image in scene.solids:
            image.use(2)
            solid.drawn.render()
        for figure in scene.figures:
            self._draw_figure(figure)
        self.context.copy_framebuffer(canvas.sharp, canvas.soft)
        rgb = np.frombuffer(canvas.sharp.read(components=3, alignment=1), np.uint8)
        depth = np.frombuffer(canvas.depth.read(alignment=1), np.float32)
        ndc = 2 * depth.reshape(view.height, view.width) - 1
        metres = 2 * FAR_M * NEAR_M / (FAR_M + NEAR_M - ndc * (FAR_M - NEAR_M))
        return rgb.reshape(view.height, view.width, 3).copy(), metres

    def _canvas(self, size: tuple[int, int]) -> 'Canvas':
        if size not in self._canvases:
            ctx, depth = self.context, self.context.depth_texture(size)
            several = ctx.renderbuffer(size, 4, samples=SAMPLES)
            self._canvases[size] = Canvas(
                soft=ctx.framebuffer([several], ctx.depth_renderbuffer(size, samples=SAMPLES)),
                sharp=ctx.framebuffer([ctx.texture(size, 4)], depth),
                depth=depth,
            )
        return self._canvases[size]

    def _draw_shadows(self, scene: Scene) -> Floats:
        clip = _light_clip(scene)
        self._shadow_frame.use()
        self.context.clear(depth=1.0)
        self.context.enable(self.gl.DEPTH_TEST)
        for name in ('shadow', 'solid_shadow'):
            set_uniforms(self.programs[name], to_clip=clip)
        for solid, _ in scene.solids:
            if solid.casts:
                solid.shadow.render()
        for figure in scene.figures:
            self._move(figure)
            set_uniforms(self.programs['shadow'], inflate=0.0, region=EVERYWHERE)
            for part in figure.person.shadows:
                part.render()
        return clip

    def _set_scene(self, scene: Scene, view: View, shadow_clip: Floats) -> None:
        self._shadow.use(0)
        self._noise.use(1)
        contacts = np.zeros((MAX_CONTACTS, 4))
        count = min(len(scene.contacts), MAX_CONTACTS)
        contacts[:count] = scene.contacts[:count]
        light = scene.light
        for name in ('skin', 'cloth', 'eye', 'solid', 'catcher'):
            set_uniforms(
                self.programs[name], to_clip=view.clip_matrix(), to_light_clip=shadow_clip,
                to_light=light.to_light, light_colour=light.colour, sky=light.sky,
                ground=light.ground, eye=view.position, contacts=contacts, contact_count=count,
                shadow_map=0, noise=1, fabric=2, image=2,
            )  # fmt: skip

    def _draw_backdrop(self, scene: Scene) -> None:
        if scene.photograph is None:
            return
        texture, window = scene.photograph
        texture.use(2)
        set_uniforms(self.programs['photograph'], image=2, window=window)
        self.context.disable(self.gl.DEPTH_TEST)
        self._backdrop.render(self.gl.TRIANGLE_STRIP)
        if scene.catcher is not None:
            self.context.enable(self.gl.BLEND)
            scene.catcher.catcher.render()
            self.context.disable(self.gl.BLEND)
        self.context.enable(self.gl.DEPTH_TEST)

    def _draw_figure(self, figure: Figure) -> None:
        person, look = figure.person, figure.person.look.look
        self._move(figure)
        covers = [garment.covered() for garment in look.garments if garment.hides_skin]
        covers += [NOWHERE] * (3 - len(covers))
        face = {'left_eye': person.body.head('eye.L'), 'nose': person.body.marks['nose'][1]}
        set_uniforms(
            self.programs['skin'], inflate=0.0, cover_a=covers[0], cover_b=covers[1],
            cover_c=covers[2], skin=look.skin, hair=look.hair, brows=look.brows, **face,
        )  # fmt: skip
        person.skin.render()
        set_uniforms(self.programs['eye'], inflate=0.0, iris=look.iris, **face)
        person.eyes.render()
        layers = zip(look.garments, person.look.fabrics, person.garments, strict=True)
        for garment, fabric, part in layers:
            fabric.use(2)
            set_uniforms(
                self.programs['cloth'], inflate=garment.inflate_m, region=garment.region,
                repeat=garment.repeat, shine=garment.shine, wrinkle=garment.wrinkle,
            )  # fmt: skip
            part.render()

    def _move(self, figure: Figure) -> None:
        self._bones.write(figure.pose.astype('f4').tobytes())
        self._bones.bind_to_uniform_block(0)


def _light_clip(scene: Scene) -> Floats:
    """Return the matrix that shows the shadows' ball from the light, without perspective."""
    *centre, radius = _ball(scene.figures) if scene.shadows is None else scene.shadows
    z = -scene.light.to_light
    x = np.cross(z, [0.3, 0.1, 1.0])
    x /= np.linalg.norm(x)
    turn = np.stack([x, np.cross(z, x), z])
    clip = np.eye(4)
    clip[:3, :3] = turn / radius
    clip[2] /= 2.0  # room for solids between the light and the people
    clip[:3, 3] = -clip[:3, :3] @ centre
    return clip


def _ball(figures: Sequence[Figure]) -> Floats:
    """Return centre and radius (4,) of a ball around all bones."""
    if not figures:
        return np.array([0.0, 1.0, 0.0, 3.0])
    points = np.concatenate([apply(figure.pose, figure.person.body.heads) for figure in figures])
    centre = (points.min(0) + points.max(0)) / 2
    return np.append(centre, np.linalg.norm(points - centre, axis=1).max() + 0.6)
