"""Views of a crop: the sets of noise look at them in turn, so that their errors differ more."""

from dataclasses import dataclass

from diffpose_ros.core.skeleton import Skeleton
import torch
from torch import Tensor
from torch.nn import functional


@dataclass(frozen=True)
class View:
    """The crop, mirrored or not, enlarged about its middle by zoom (at least 1)."""

    mirrored: bool
    zoom: float

    def show(self, pictures: Tensor) -> Tensor:
        """Return what the network sees of pictures (B, 3, h, w), the same shape."""
        seen = enlarge(pictures, self.zoom)
        return seen.flip(3) if self.mirrored else seen

    def back(self, heat: Tensor, skeleton: Skeleton) -> Tensor:
        """Return heatmaps (B, J, h, w) of the view as those of the crop, 0 beyond the view."""
        if self.mirrored:
            heat = torch.stack([heat[:, j] for j in skeleton.mirror], dim=1).flip(3)
        return enlarge(heat, 1 / self.zoom)


ZOOM = 1.15  # cuts away most of the margin that Crop leaves around a person
VIEWS = (View(False, 1), View(True, ZOOM), View(False, ZOOM), View(True, 1))


def draws(sets: int) -> list[int]:
    """
    Return which draw of noise each set takes.

    Each has its own, but mirror images share theirs: so left and right are treated alike.
    """
    zooms = sorted({view.zoom for view in VIEWS})  # one for each pair of mirror images
    turns = [divmod(n, len(VIEWS)) for n in range(sets)]
    return [len(zooms) * turn + zooms.index(VIEWS[view].zoom) for turn, view in turns]


def enlarge(maps: Tensor, zoom: float) -> Tensor:
    """Return maps (B, C, h, w) enlarged about their middle, 0 where that shows what is beyond."""
    if zoom == 1:
        return maps
    matrix = torch.eye(2, 3, device=maps.device, dtype=maps.dtype) / zoom
    grid = functional.affine_grid(
        matrix.expand(len(maps), 2, 3), list(maps.shape), align_corners=False
    )
    return functional.grid_sample(maps, grid, align_corners=False)
