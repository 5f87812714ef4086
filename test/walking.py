"""A made-up person, so that no motion capture is needed."""

from diffpose_ros.core.skeleton import H36M_17
from diffpose_ros.data.mocap import Clips
import torch

STANDING = {
    'r_hip': (-0.1, 0, 0),
    'r_knee': (-0.1, -0.4, 0),
    'r_ankle': (-0.1, -0.8, 0),
    'spine': (0, 0.22, 0),
    'thorax': (0, 0.44, 0),
    'nose': (0, 0.58, 0.06),
    'head_top': (0, 0.7, 0.02),
    'r_shoulder': (-0.16, 0.44, 0),
    'r_elbow': (-0.18, 0.16, 0),
    'r_wrist': (-0.2, -0.06, 0.05),
}


def standing():
    pose = torch.zeros(len(H36M_17.joints), 3)
    for name, place in STANDING.items():
        pose[H36M_17.joints.index(name)] = torch.tensor(place)
        if name.startswith('r_'):
            left = torch.tensor(place) * torch.tensor([-1.0, 1, 1])
            pose[H36M_17.joints.index('l_' + name[2:])] = left
    return pose


def walk(frames=60):
    """Return one clip of a person who slides 1 m per second along x and nods."""
    joints = standing().repeat(frames, 1, 1)
    joints[:, H36M_17.joints.index('nose'), 2] += 0.02 * torch.sin(torch.arange(frames) / 3)
    root = torch.stack([torch.arange(frames) / 30, torch.ones(frames), torch.zeros(frames)], 1)
    zero = torch.zeros(frames, dtype=torch.long)
    return Clips(joints, root, zero, zero + frames - 1, torch.ones(frames), 30)
