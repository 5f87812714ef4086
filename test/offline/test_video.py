"""Video files, compared with OpenCV's reader."""

from fractions import Fraction
import os
import struct
import subprocess
import sys

import av
from av.video.frame import VideoFrame
import cv2
from diffpose_ros.offline.video import VideoReader, VideoWriter
import numpy as np
import pytest


def picture(number: int, width: int = 64, height: int = 48) -> np.ndarray:
    """Return a smooth image that changes with the number."""
    y, x = np.mgrid[:height, :width]
    red = 255 * x / width
    green = 255 * y / height
    return np.stack([red, green, np.full_like(red, 20 * number)], axis=-1).astype(np.uint8)


def write(path, times_s, **size):
    with VideoWriter(path, size.get('width', 64), size.get('height', 48)) as writer:
        for number, time_s in enumerate(times_s):
            writer.write(time_s, picture(number, **size))
    return path


def test_fewer_frames_than_are_labelled_are_told_whether_the_file_states_their_number_or_not(
    tmp_path,
):
    losslessly(tmp_path / 'silent.mkv', [0, 40, 80])
    stating = VideoReader(write(tmp_path / 'stating.mp4', [0.0, 0.04, 0.08]))
    silent = VideoReader(tmp_path / 'silent.mkv')
    assert (stating.stated, silent.stated) == (3, 0)
    for reader, seen in ((stating, 0), (silent, 3)):
        assert len(list(reader.labelled(3))) == 3
        images = reader.labelled(4)
        assert len([next(images) for _ in range(seen)]) == seen
        with pytest.raises(ValueError, match=r'labels 4 frames, but .* has 3'):
            next(images)


def losslessly(path, times_ms, width=64, height=48):
    """Write a video whose times need not rise, of any size."""
    with av.open(str(path), 'w') as container:
        stream = container.add_stream('ffv1')
        stream.width, stream.height, stream.pix_fmt = width, height, 'gray'
        for number, time_ms in enumerate(times_ms):
            frame = VideoFrame.from_ndarray(picture(number, width, height)[..., 0], format='gray')
            for packet in stream.encode(frame):
                packet.pts = packet.dts = time_ms
                packet.time_base = Fraction(1, 1000)
                packet.stream = stream
                container.mux_one(packet)


def read_with_opencv(path) -> list[np.ndarray]:
    capture, images = cv2.VideoCapture(str(path)), []
    while (answer := capture.read())[0]:
        images.append(answer[1][..., ::-1])
    return images


def test_what_is_written_is_read_back_at_its_own_times(tmp_path):
    times_s = [0.0, 0.1, 0.15, 0.4, 0.5]
    reader = VideoReader(write(tmp_path / 'clip.mp4', times_s))
    frames = list(reader)
    assert (reader.width, reader.height, reader.frames) == (64, 48, 5)
    np.testing.assert_allclose([time_s for time_s, _ in frames], times_s, atol=1e-3)
    for number, (_, image) in enumerate(frames):
        assert np.abs(image.astype(int) - picture(number)).mean() < 4


def test_opencv_sees_the_same_pictures_in_the_file(tmp_path):
    path = write(tmp_path / 'clip.mp4', [0.0, 0.1, 0.2])
    theirs, ours = read_with_opencv(path), [image for _, image in VideoReader(path)]
    assert len(theirs) == len(ours) == 3
    for a, b in zip(theirs, ours, strict=True):
        assert np.abs(a.astype(int) - b).mean() < 4


def test_the_video_of_a_phone_held_upright_is_read_upright(tmp_path):
    path = write(tmp_path / 'clip.mp4', [0.0, 0.1])
    data = bytearray(path.read_bytes())
    matrix = data.index(b'tkhd') + 4 + 40  # ISO 14496-12, track header of version 0
    quarter_turn = [0, 1 << 16, 0, -1 << 16, 0, 0, 0, 0, 1 << 30]
    data[matrix : matrix + 36] = struct.pack('>9i', *quarter_turn)
    path.write_bytes(data)
    reader = VideoReader(path)
    assert (reader.width, reader.height) == (48, 64)
    theirs, (_, ours) = read_with_opencv(path)[0], next(iter(reader))
    assert np.abs(theirs.astype(int) - ours).mean() < 4


SAME_FRAMES = """
import pathlib, sys
import numpy as np
from diffpose_ros.offline.video import VideoWriter
wall = np.random.default_rng(0).integers(40, 80, (48, 64, 3), np.uint8)
with VideoWriter(pathlib.Path(sys.argv[1]), 64, 48) as writer:
    for number in range(150):
        image = wall.copy()
        image[10:20, number % 40 :][:, :8] = 200
        writer.write(number / 2, image)
"""


@pytest.mark.parametrize('litter', ['77', '254'])
def test_the_bytes_do_not_depend_on_what_memory_held_before(tmp_path, litter):
    paths = [tmp_path / 'clean.mp4', tmp_path / 'littered.mp4']
    for path, rest in zip(paths, ('0', litter), strict=True):
        environment = os.environ | {'MALLOC_PERTURB_': rest}
        command = [sys.executable, '-c', SAME_FRAMES, str(path)]
        subprocess.run(command, env=environment, check=True)
    clean, littered = (path.read_bytes() for path in paths)
    assert littered == clean


def test_an_odd_size_loses_one_row_and_column(tmp_path):
    path = tmp_path / 'clip.mp4'
    reader = VideoReader(write(path, [0.0], width=65, height=49))
    assert (reader.width, reader.height) == (64, 48)


def test_a_writer_that_fails_leaves_nothing_and_keeps_the_file_of_before(tmp_path):
    path = tmp_path / 'clip.mp4'
    path.write_text('before')
    with pytest.raises(ValueError, match='does not come after'):
        write(path, [0.0, 0.1, 0.1])
    assert [p.name for p in tmp_path.iterdir()] == ['clip.mp4']
    assert path.read_text() == 'before'


def test_a_frame_at_the_time_of_the_one_before_is_passed_over(tmp_path):
    path = tmp_path / 'clip.mkv'
    losslessly(path, [0, 100, 100, 200, 300])
    assert [time_s for time_s, _ in VideoReader(path)] == [0.0, 0.1, 0.2, 0.3]
    write(tmp_path / 'copy.mp4', [time_s for time_s, _ in VideoReader(path)])


@pytest.mark.parametrize('size', [(1, 1), (64, 1)])
def test_a_video_too_small_to_be_written_again_is_refused(tmp_path, size):
    path = tmp_path / 'clip.mkv'
    losslessly(path, [0, 100], *size)
    with pytest.raises(ValueError, match=f'{size[0]}x{size[1]} pixels; give a larger'):
        VideoReader(path)


def test_a_missing_video_is_told_by_its_path(tmp_path):
    with pytest.raises(FileNotFoundError, match=r'nowhere\.mp4'):
        VideoReader(tmp_path / 'nowhere.mp4')


@pytest.mark.parametrize('content', [b'', b'no video at all' * 100])
def test_a_file_that_is_no_video_is_refused(tmp_path, content):
    path = tmp_path / 'text.mp4'
    path.write_bytes(content)
    with pytest.raises(ValueError, match='no readable video'):
        VideoReader(path)


def test_a_video_that_is_cut_off_is_read_as_far_as_it_goes_and_that_is_told(tmp_path, caplog):
    whole = write(tmp_path / 'whole.mp4', [i / 25 for i in range(60)], width=320, height=240)
    data, cut = whole.read_bytes(), tmp_path / 'cut.mp4'
    cut.write_bytes(data[: len(data) * 3 // 4])
    read = [image for _, image in VideoReader(cut)]
    assert 10 < len(read) < 60
    for image, (_, expected) in zip(read[:10], VideoReader(whole), strict=False):
        np.testing.assert_array_equal(image, expected)
    assert 'cut.mp4 is damaged' in caplog.text


def test_a_video_that_changes_its_size_is_refused_where_it_does(tmp_path):
    parts = []
    for size in ((64, 48), (96, 64)):
        part = tmp_path / f'{size}.h264'
        with av.open(str(part), 'w', format='h264') as container:
            stream = container.add_stream('libx264', rate=25)
            stream.width, stream.height = size
            for number in range(5):
                frame = VideoFrame.from_ndarray(picture(number, *size), format='rgb24')
                container.mux(stream.encode(frame))
            container.mux(stream.encode(None))
        parts.append(part.read_bytes())
    (tmp_path / 'both.h264').write_bytes(b''.join(parts))
    with pytest.raises(ValueError, match=r'is of 64x48 pixels, but of others from .* s on'):
        list(VideoReader(tmp_path / 'both.h264'))
