"""
Make bodies of many shapes with anny (code Apache-2.0, body CC0): `pip install anny`.

The first use builds anny's cache and takes minutes.
"""

from collections.abc import Mapping

from diffpose_ros.train.synthetic.bodies import Body
from diffpose_ros.train.synthetic.retarget import smoothstep, unit
import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating]
Ints = NDArray[np.integer]

TO_WORLD = np.array([[1.0, 0, 0], [0, 0, 1], [0, -1, 0]])  # anny: z up, the face towards -y
SURFACES = ('body', 'helper-tights', 'helper-skirt', 'helper-hair', 'helper-l-eye', 'helper-r-eye')
BONES_PER_VERTEX = 4
HEADS = {
    'hip': 'upperleg01', 'knee': 'lowerleg01', 'ankle': 'foot', 'shoulder': 'upperarm01',
    'elbow': 'lowerarm01', 'wrist': 'wrist',
}  # fmt: skip


class BodyMaker:
    """Makes bodies of any shape; holds the anny model."""

    def __init__(self) -> None:
        import anny
        from anny.paths import get_anny_root_dir
        from anny.utils.obj_utils import load_obj_file

        self._model = anny.Anny(topology='anny-full')
        self._nose = anny.KeypointsRegressor.coco(self._model, labels=['nose'])
        template = get_anny_root_dir() / 'data/mpfb2/3dobjs/base.obj'
        _, _, groups = load_obj_file(str(template))
        self._faces = {name: _triangles(groups[name]['face_vertex_indices']) for name in SURFACES}

    def make(self, phenotype: Mapping[str, float], cell_m: float = 0.0) -> Body:
        """
        Return a body.

        phenotype  anny's values, 0 to 1
        cell_m     leave out detail smaller than this; 0 keeps all
        """
        model = self._model
        rest = model(phenotype_kwargs=dict(phenotype))
        vertices = rest['rest_vertices'][0].numpy() @ TO_WORLD.T
        heads = rest['rest_bone_heads'][0].numpy() @ TO_WORLD.T
        labels = tuple(model.bone_labels)
        bones, weights = _strongest(
            model.vertex_bone_indices.numpy(), model.vertex_bone_weights.numpy()
        )
        nose = self._nose({'vertices': rest['rest_vertices']})[0, 0].numpy() @ TO_WORLD.T
        at = {label: heads[q] for q, label in enumerate(labels)}
        normals = _normals(vertices, self._faces)
        faces = self._faces
        if cell_m:
            faces = {k: coarser(f, vertices, normals, cell_m) for k, f in faces.items()}
        return Body(
            labels=labels,
            parents=np.maximum(np.array(model.bone_parents), -1),
            heads=heads,
            vertices=vertices,
            normals=normals,
            bones=bones,
            weights=weights,
            faces=faces,
            places=_places(
                vertices, at, _arm_share(bones, weights, labels), nose, self._faces['helper-hair']
            ),
            marks=_marks(at, labels, nose, vertices[np.unique(self._faces['body'])]),
        )


def _triangles(quads: object) -> Ints:
    q = np.asarray(quads)
    both = np.concatenate([q[:, [0, 1, 2]], q[:, [0, 2, 3]]])
    return both[(both[:, 0] != both[:, 2]) & (both[:, 1] != both[:, 2])].astype(np.int32)


def coarser(faces: Ints, vertices: Floats, normals: Floats, cell_m: float) -> Ints:
    """
    Return fewer triangles of the same vertices: those that share a cell and a side become one.

    faces    (n, 3)  cell_m  edge of the cells; surfaces that face apart stay apart
    returns  (m, 3)
    """
    key = np.column_stack([np.floor(vertices / cell_m), normals > 0]).astype(np.int64)
    _, first, group = np.unique(key, axis=0, return_index=True, return_inverse=True)
    merged = first[group.ravel()][faces]
    a, b, c = merged.T
    return merged[(a != b) & (b != c) & (c != a)].astype(np.int32)


def _strongest(bones: Ints, weights: Floats) -> tuple[Ints, Floats]:
    order = np.argsort(-weights, axis=1)[:, :BONES_PER_VERTEX]
    kept = np.take_along_axis(weights, order, 1)
    return np.take_along_axis(bones, order, 1), kept / kept.sum(1, keepdims=True)


def _normals(vertices: Floats, faces: Mapping[str, Ints]) -> Floats:
    total = np.zeros_like(vertices)
    for triangles in faces.values():
        a, b, c = (vertices[triangles[:, i]] for i in range(3))
        for i in range(3):
            np.add.at(total, triangles[:, i], np.cross(b - a, c - a))
    return unit(total)


def _arm_share(bones: Ints, weights: Floats, labels: tuple[str, ...]) -> Floats:
    arm = ('upperarm', 'lowerarm', 'wrist', 'finger', 'metacarpal')
    return (np.array([label.startswith(arm) for label in labels])[bones] * weights).sum(1)


def _along(points: Floats, chain: list[Floats]) -> Floats:
    """Return 0 at the chain's first point, 0.5 at its second, 1 at its third, on beyond it."""
    a, b, c = chain
    first = ((points - a) @ unit(b - a)) / np.linalg.norm(b - a)
    second = ((points - b) @ unit(c - b)) / np.linalg.norm(c - b)
    return np.where(second > 0, 0.5 + second / 2, np.minimum(first, 1) / 2)


def _places(
    vertices: Floats, at: dict[str, Floats], arm_share: Floats, nose: Floats, hair: Ints
) -> Floats:
    mirrored = np.abs(vertices) * [1, 0, 0] + vertices * [0, 1, 1]
    arm = _along(mirrored, [at[f'{b}.L'] for b in ('upperarm01', 'lowerarm01', 'wrist')])
    leg = _along(mirrored, [at[f'{b}.L'] for b in ('upperleg01', 'lowerleg01', 'foot')])
    hip, neck = at['upperleg01.L'][1], at['neck01'][1]
    trunk = (vertices[:, 1] - hip) / (neck - hip)
    on_arm = smoothstep(arm_share, 0.2, 0.6)
    eye = at['eye.L']
    back = (eye[2] - vertices[:, 2]) / (nose[2] - at['head'][2])
    scalp = (vertices[:, 1] - eye[1]) / 0.1 + np.minimum(back, 2.0) * 0.9 - 0.75
    ahead = (eye[2] - 0.03 - vertices[:, 2]) / 0.1
    hanging = np.maximum(ahead, (vertices[:, 1] - eye[1] - 0.065) / 0.1)  # leaves the face free
    scalp[np.unique(hair)] = hanging[np.unique(hair)]
    return np.stack([arm * on_arm, np.where(on_arm > 0.5, -1, leg), trunk, scalp], axis=1)


def _marks(
    at: dict[str, Floats], labels: tuple[str, ...], nose: Floats, skin: Floats
) -> dict[str, tuple[int, Floats]]:
    marks = {
        f'{side}_{joint}': (labels.index(f'{bone}.{side.upper()}'), at[f'{bone}.{side.upper()}'])
        for side in 'lr'
        for joint, bone in (HEADS | {'clavicle': 'clavicle'}).items()
    }
    head = labels.index('head')
    marks['nose'] = (head, nose)
    marks['head_top'] = (head, skin[skin[:, 1].argmax()] * [0, 1, 1])
    marks['neck_base'] = (labels.index('spine01'), at['neck01'])
    return marks
