"""
The graphics memory: shader programs, textures, bodies, clothes and solids (moderngl over EGL).

Needs the package moderngl and, without a graphics card, the Debian packages libegl1 and
libgl1-mesa-dri.
"""

from dataclasses import dataclass
from typing import Any

from diffpose_ros.train.synthetic import shaders
from diffpose_ros.train.synthetic.bodies import Body
from diffpose_ros.train.synthetic.looks import Look, Region
from diffpose_ros.train.synthetic.scenery import Solid
import numpy as np
from numpy.typing import NDArray

Picture = NDArray[np.uint8]

WIDE = ('helper-skirt', 'helper-hair')  # surfaces whose shadow is not the body's


@dataclass(frozen=True)
class SentBody:
    """A body in the graphics memory."""

    body: Body
    buffers: tuple[tuple[Any, ...], ...]


@dataclass(frozen=True)
class SentLook:
    """A look and the textures of its garments."""

    look: Look
    fabrics: tuple[Any, ...]


@dataclass(frozen=True)
class Person:
    """A body in its clothes: only the triangles that may be seen are drawn."""

    body: Body
    look: SentLook
    skin: Any
    eyes: Any
    garments: tuple[Any, ...]
    shadows: tuple[Any, ...]


@dataclass(frozen=True)
class SentSolid:
    """A textured surface: how it is drawn, darkened over a photograph, and throws a shadow."""

    drawn: Any
    catcher: Any
    shadow: Any
    casts: bool


class Graphics:
    """An off-screen context and what has been sent to it."""

    def __init__(self) -> None:
        import moderngl

        self.gl = moderngl
        self.context = moderngl.create_standalone_context(backend='egl')
        self.programs = self._compile()

    def texture(self, picture: Picture) -> Any:
        """Send a picture (rows, columns, 3) that repeats at its borders."""
        height, width = picture.shape[:2]
        texture = self.context.texture(
            (width, height), 3, np.ascontiguousarray(picture), alignment=1
        )
        texture.build_mipmaps()
        texture.filter = (self.gl.LINEAR_MIPMAP_LINEAR, self.gl.LINEAR)
        return texture

    def send_body(self, body: Body) -> SentBody:
        """Send a body's vertices."""
        floats = np.column_stack([body.vertices, body.normals, body.weights, body.places])
        vertices = self.context.buffer(floats.astype('f4').tobytes())
        bones = self.context.buffer(body.bones.astype('i4').tobytes())
        names = ('point', 'normal', 'weights', 'place')
        return SentBody(body, ((vertices, '3f 3f 4f 4f', *names), (bones, '4i', 'bones')))

    def send_look(self, look: Look) -> SentLook:
        """Send a look's fabrics."""
        return SentLook(look, tuple(self.texture(garment.fabric) for garment in look.garments))

    def dress(self, sent: SentBody, look: SentLook) -> Person:
        """Put clothes on a body."""
        faces, places = sent.body.faces, sent.body.places
        garments = look.look.garments
        bare = np.ones(len(faces['body']), bool)
        for garment in garments:
            if garment.hides_skin:
                bare &= ~garment.covered().holds(places)[faces['body']].all(1)
        eyes = np.concatenate([faces['helper-l-eye'], faces['helper-r-eye']])
        worn = [
            faces[g.surface][g.region.holds(places)[faces[g.surface]].any(1)] for g in garments
        ]
        wide = [faces[g.surface] for g in garments if g.surface in WIDE]
        return Person(
            sent.body,
            look,
            skin=self._triangles('skin', sent, faces['body'][bare]),
            eyes=self._triangles('eye', sent, eyes),
            garments=tuple(self._triangles('cloth', sent, part) for part in worn),
            shadows=tuple(self._triangles('shadow', sent, p) for p in (faces['body'], *wide)),
        )

    def send_solid(self, solid: Solid, casts: bool = True) -> SentSolid:
        """Send a textured surface; casts = it throws a shadow (floors and walls need not)."""
        rows = np.column_stack([solid.points, solid.normals, solid.uv]).astype('f4')
        buffer = self.context.buffer(rows.tobytes())
        entry = (buffer, '3f 3f 2f', 'point', 'normal', 'uv')
        names = {'drawn': 'solid', 'catcher': 'catcher', 'shadow': 'solid_shadow'}
        made = {
            role: self.context.vertex_array(program, [used_attributes(program, *entry)])
            for role, program in ((role, self.programs[name]) for role, name in names.items())
        }
        return SentSolid(**made, casts=casts)

    def release(self, *things: Any) -> None:
        """Free what was sent."""
        for thing in things:
            if isinstance(thing, SentBody):
                self.release(*(buffer for buffer, *_ in thing.buffers))
            elif isinstance(thing, Person):
                self.release(thing.skin, thing.eyes, *thing.garments, *thing.shadows)
            elif isinstance(thing, SentLook):
                self.release(*thing.fabrics)
            elif isinstance(thing, SentSolid):
                self.release(thing.drawn, thing.catcher, thing.shadow)
            elif isinstance(thing, tuple):
                self.release(*thing)
            else:
                thing.release()

    def _compile(self) -> dict[str, Any]:
        s, program = shaders, self.context.program
        return {
            'skin': program(s.MOVED, s.SKIN),
            'cloth': program(s.MOVED, s.CLOTH),
            'eye': program(s.MOVED, s.EYE),
            'shadow': program(s.MOVED, s.CUT_OUT),
            'solid': program(s.SOLID_VERTEX, s.SOLID),
            'solid_shadow': program(s.SOLID_VERTEX, s.NOTHING),
            'catcher': program(s.SOLID_VERTEX, s.SHADE_ON_PHOTOGRAPH),
            'photograph': program(s.PHOTOGRAPH_VERTEX, s.PHOTOGRAPH),
        }

    def _triangles(self, program: str, sent: SentBody, faces: NDArray[np.integer]) -> Any:
        index = self.context.buffer(np.ascontiguousarray(faces, 'i4').tobytes() or bytes(12))
        layout = [used_attributes(self.programs[program], *entry) for entry in sent.buffers]
        return self.context.vertex_array(self.programs[program], layout, index)


def used_attributes(program: Any, buffer: Any, layout: str, *names: str) -> tuple[Any, ...]:
    """Skip what the compiler has removed from a program."""
    sizes = {'f': 4, 'i': 4}
    parts, kept = [], []
    for item, name in zip(layout.split(), names, strict=True):
        if name in program:
            parts.append(item)
            kept.append(name)
        else:
            parts.append(f'{int(item[0]) * sizes[item[1]]}x')
    return (buffer, ' '.join(parts), *kept)


def set_uniforms(program: Any, **values: Any) -> None:
    """Set the uniforms that the compiler has kept in a program."""
    for name, value in values.items():
        if name not in program:
            continue
        if isinstance(value, Region):
            value = value.rows()
        if isinstance(value, int | float):
            program[name] = value
        else:
            array = np.asarray(value, 'f4')
            square = array.ndim == 2 and array.shape[0] == array.shape[1] and array.size != 16
            is_matrix = square or name.endswith('clip')
            program[name].write((array.T if is_matrix else array).tobytes())
