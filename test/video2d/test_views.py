from diffpose_ros.core.skeleton import POSETRACK_15
from diffpose_ros.video2d.heatmap import decode, encode
from diffpose_ros.video2d.views import enlarge, View, VIEWS
import pytest
import torch


def test_the_first_view_is_the_crop_itself():
    picture, heat = torch.rand(1, 3, 64, 48), torch.rand(1, 15, 16, 12)
    assert VIEWS[0].show(picture) is picture
    assert VIEWS[0].back(heat, POSETRACK_15) is heat


@pytest.mark.parametrize('view', VIEWS)
def test_a_joint_seen_in_a_view_is_told_where_it_lies_in_the_crop(view):
    dot = torch.zeros(1, 3, 160, 128)
    dot[:, :, 60:64, 40:44] = 1
    rows, columns = (
        (view.show(dot)[0, 0].sum(dim=d) * torch.arange(n)).sum() / view.show(dot)[0, 0].sum()
        for d, n in ((1, 160), (0, 128))
    )
    (wrist,) = POSETRACK_15.index('r_wrist')
    (shown_as,) = POSETRACK_15.index('l_wrist' if view.mirrored else 'r_wrist')
    xy = torch.full((1, 15, 2), float('nan'))
    xy[0, shown_as] = torch.stack([columns, rows])
    heat = view.back(encode(xy, 40, 32).nan_to_num(), POSETRACK_15)
    found = decode(heat)[0][0, wrist]
    assert torch.allclose(found, torch.tensor([41.5, 61.5]), atol=0.7)


def test_beyond_a_view_the_heatmaps_are_empty():
    heat = View(False, 2).back(torch.ones(1, 15, 16, 12), POSETRACK_15)
    assert heat[0, 0, 8, 6] == pytest.approx(1)
    assert heat[..., 0, :].abs().max() == 0


def test_enlarging_keeps_the_middle_in_its_place():
    maps = torch.zeros(1, 1, 5, 5)
    maps[..., 2, 2] = 1
    assert enlarge(maps, 3)[..., 2, 2] == 1
    assert torch.allclose(enlarge(maps, 3), enlarge(maps, 3).flip(2).flip(3))
