"""Damaged calibrations and videos are read or refused in words."""

import io

from diffpose_ros.offline.calibration import read_camera
from diffpose_ros.offline.video import VideoReader, VideoWriter
from fuzzing import cases, damaged, survives
import numpy as np
import pytest

YAML = b"""\
image_width: 64
image_height: 48
camera_matrix: {rows: 3, cols: 3, data: [60.0, 0.0, 32.0, 0.0, 60.0, 24.0, 0.0, 0.0, 1.0]}
distortion_model: plumb_bob
distortion_coefficients: {rows: 1, cols: 5, data: [-0.36, 0.11, 0.001, 0.0005, 0.0]}
"""


def npz() -> bytes:
    file = io.BytesIO()
    np.savez(file, K=np.array([[60.0, 0, 32], [0, 60, 24], [0, 0, 1]]), dist=np.zeros(5))
    return file.getvalue()


@pytest.mark.parametrize(('suffix', 'data'), [('.yaml', YAML), ('.npz', npz())])
def test_damaged_calibrations_are_cameras_or_refused(tmp_path, suffix, data):
    path = tmp_path / f'camera{suffix}'

    def work(rng):
        path.write_bytes(damaged(data, rng))
        read_camera(path, 64, 48)

    answered = [survives(lambda rng=rng: work(rng)) for rng in cases(750)]
    assert not all(answered)


@pytest.mark.parametrize(
    'text', ['[' * 2000, 'a: &a [*a, *a]', '!!python/object/apply:os.getcwd []']
)
def test_yaml_that_is_a_trap_is_refused(tmp_path, text):
    path = tmp_path / 'camera.yaml'
    path.write_text(text)
    with pytest.raises(ValueError, match='not a camera calibration'):
        read_camera(path, 64, 48)


def test_damaged_videos_are_read_or_refused(tmp_path):
    whole = tmp_path / 'whole.mp4'
    with VideoWriter(whole, 64, 48) as writer:
        for n in range(10):
            writer.write(n / 30, np.full((48, 64, 3), 25 * n, np.uint8))
    path = tmp_path / 'damaged.mp4'

    def work(rng):
        path.write_bytes(damaged(whole.read_bytes(), rng))
        for _, image in VideoReader(path):
            assert image.shape[2] == 3

    answered = [survives(lambda rng=rng: work(rng)) for rng in cases(300)]
    assert not all(answered)
