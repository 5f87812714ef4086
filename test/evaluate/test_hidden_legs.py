"""The packaged networks where a person's legs are not to be seen, on the packaged clip."""

from itertools import islice

from diffpose_ros.core.camera import Camera
from diffpose_ros.core.checkpoint import load_checkpoint
from diffpose_ros.core.config import PipelineConfig
from diffpose_ros.core.people import Box, Frame, JointState, Pose2D
from diffpose_ros.core.pipeline import LIFTER, PosePipeline
from diffpose_ros.core.share import find_shared
from diffpose_ros.core.sighting import sight
from diffpose_ros.core.skeleton import H36M_17
from diffpose_ros.core.stage3d import Stage3D, View
from diffpose_ros.core.track import Track
from diffpose_ros.evaluate.clip_labels import labelled_frames, read_labels
from diffpose_ros.lift3d.kinds import lifter_of, LIFTERS
import numpy as np
import torch

LEGS = list(H36M_17.index('l_knee', 'r_knee', 'l_ankle', 'r_ankle'))
REST = [j for j in range(17) if j not in LEGS]
EVERY = 5


def test_hidden_legs_are_inferred_near_where_they_are_and_the_rest_stays_right():
    labels = read_labels(find_shared('demo/walk.npz'))
    camera = Camera(labels.K, 640, 480, labels.distortion)
    stage = Stage3D(lifter_of(load_checkpoint(LIFTER, *LIFTERS), torch.device('cpu')))
    track = Track('b1', Box.whole(640, 480), 0, 0)
    errors = []
    for n, (xy, xyz) in enumerate(zip(labels.joints_px[:, 0], labels.joints_m[:, 0], strict=True)):
        stamp_ns, hidden = round(n * 1e9 / labels.fps), xy.astype(float)
        hidden[LEGS] = np.nan
        score = np.where(np.isnan(hidden[:, 0]), 0, 0.95)
        track.pose = Pose2D(hidden, np.tile(np.eye(2), (17, 1, 1)), score)
        track.sightings.append(sight(track.pose, camera, stamp_ns, 0.3))
        if n % EVERY == 0:
            (pose,) = stage.lift([track], stamp_ns, View(camera, PipelineConfig(), True))
            assert (pose.state[LEGS] == JointState.INFERRED).all()
            errors.append(np.linalg.norm(pose.xyz - pose.xyz[0] - (xyz - xyz[0]), axis=1))
    mean = np.mean(errors, axis=0)
    assert mean[LEGS].mean() < 0.3  # metres; where the aim tells of hidden joints, 0.58
    assert mean[REST].mean() < 0.07


def test_where_the_picture_ends_at_the_hips_the_legs_are_inferred():
    labels, video = read_labels(find_shared('demo/walk.npz')), find_shared('demo/walk.mp4')
    hips = int(np.median(labels.joints_px[:, 0, H36M_17.index('l_hip')[0], 1]))
    pipeline = PosePipeline.from_config(PipelineConfig())
    errors, measured = [], []
    for frame, xyz in islice(
        zip(labelled_frames(video, labels), labels.joints_m[:, 0], strict=True), 60
    ):
        camera = Camera(labels.K, frame.size[0], hips, labels.distortion)
        cut = Frame(np.ascontiguousarray(frame.image[:hips]), frame.stamp_ns, camera)
        for person in pipeline.step(cut).people:
            pose = person.pose3d
            errors.append(np.linalg.norm(pose.xyz - pose.xyz[0] - (xyz - xyz[0]), axis=1))
            measured.append(pose.state[LEGS] == JointState.MEASURED)
    assert len(errors) > 50
    assert np.mean(errors) < 0.2
    assert np.mean(measured) < 0.2
