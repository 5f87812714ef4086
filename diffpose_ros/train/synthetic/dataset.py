"""
Write synthetic training data: windows of one person, and whole pictures for the detector.

`python -m diffpose_ros.train.synthetic --mocap FILE.npz … --out FOLDER` makes shards, each a .tar
of WebP pictures and an .npz of labels, in rows (N) of the same order:

windows_NN: T pictures of one person in one fixed crop, 180x240, in time's order
  filenames     (N, T)         names in the .tar
  times_s       (N, T)         rising, the last is 0
  joints_px     (N, T, 15, 2)  POSETRACK_15 in the crop, pixel centres at integers; may lie outside
  visible       (N, T, 15)     inside the picture and not hidden by anything
  joints_cam_m  (N, T, 17, 3)  H36M_17 in the camera's optical frame
  K             (N, T, 3, 3)   intrinsics of the crop
  box           (N, 4)         tight box of the last picture's joints: left, top, right, bottom
  joint_names   (15,)

pictures_NN: whole pictures, 320 on the longer side, no or several people
  filenames     (N, 1)         count (N,) people of each; beyond them rows are NaN or False
  joints_px     (N, P, 15, 2)  visible (N, P, 15)
  boxes         (N, P, 4)      of the whole skin, hidden or not: left, top, right, bottom

The crop reaches 1.5 times as far as the joints, so that training can still move and turn it.
Where it passes the border of the camera's picture it is black, as core.crop leaves it.
"""

from collections.abc import Callable
from pathlib import Path
import tarfile

from diffpose_ros.core.files import atomic_path
from diffpose_ros.core.skeleton import POSETRACK_15
from diffpose_ros.train.synthetic.backgrounds import add_file, encoded
from diffpose_ros.train.synthetic.scenes import Cast, Studio
import numpy as np
from numpy.typing import NDArray
from tqdm import trange

Picture = NDArray[np.uint8]
Labels = dict[str, NDArray[np.generic]]

SCENES_PER_CAST = 40


def write_shard(
    path: Path, count: int, studio: Studio,
    render: Callable[[Studio, Cast], tuple[list[Picture], Labels]],
) -> None:  # fmt: skip
    """Write path.tar and path.npz with count scenes; they appear whole or not at all."""
    rows: list[Labels] = []
    with (
        atomic_path(path.with_suffix('.npz')) as labels,
        atomic_path(path.with_suffix('.tar')) as archive,
    ):
        with tarfile.open(archive, 'w') as tar:
            for i in trange(count, desc=path.name, unit='scene', mininterval=10):
                if i % SCENES_PER_CAST == 0:
                    cast = studio.cast()
                pictures, row = render(studio, cast)
                names = [f'{path.name}_{i:05d}_{t}.webp' for t in range(len(pictures))]
                for name, picture in zip(names, pictures, strict=True):
                    add_file(tar, name, encoded(picture))
                rows.append({'filenames': np.array(names), **row})
                if i % SCENES_PER_CAST == SCENES_PER_CAST - 1 or i == count - 1:
                    cast.release()
        columns = {key: np.stack([row[key] for row in rows]) for key in rows[0]}
        np.savez_compressed(labels, **columns, joint_names=np.array(POSETRACK_15.joints))
