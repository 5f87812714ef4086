from diffpose_ros.core.camera import look_at as core_look_at
from diffpose_ros.data.cameras import into_virtual_camera, look_at, project
import numpy as np
import torch
from walking import standing


def test_virtual_camera_has_the_person_on_its_axis():
    points = standing()[None, None] * torch.tensor([1.0, -1, 1]) + torch.tensor([1.0, 0.5, 4])
    rays, _ = project(into_virtual_camera(points, 0))
    middle = (rays.amin(dim=2) + rays.amax(dim=2)) / 2
    assert middle.abs().max() < 0.01


def test_look_at_equals_the_pipelines():
    ray = torch.tensor([[0.3, -0.2]])
    expected = core_look_at(np.array([0.3, -0.2, 1.0]))
    np.testing.assert_allclose(look_at(ray)[0].numpy(), expected, atol=1e-6)
