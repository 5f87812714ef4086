"""Video files: read any, write H.264."""

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from types import TracebackType

import av
from av.video.frame import VideoFrame
import numpy as np
from numpy.typing import NDArray

TICK = Fraction(1, 90_000)  # seconds, MPEG's usual clock


class VideoReader:
    """
    The frames of a video file, upright, with their times.

    width, height  pixels, after a phone's rotation is undone
    fps            mean frame rate as the file states it
    frames         number of frames as the file states it, or estimated from its length
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        if not path.is_file():
            raise FileNotFoundError(f'no video {path}; check the path')
        try:
            with av.open(str(path)) as container:
                stream = container.streams.video[0]
                first = next(container.decode(stream))
                self.fps = float(stream.average_rate or stream.guessed_rate or 0)
                length_s = float((container.duration or 0) / av.time_base)
                self.frames = stream.frames or round(length_s * self.fps)
        except (av.FFmpegError, IndexError, StopIteration) as error:
            raise ValueError(f'{path} has no readable video; give an mp4, for example') from error
        self.height, self.width = _upright(first).shape[:2]
        if self.fps <= 0:
            raise ValueError(f'{path} states no frame rate; convert it to mp4')

    def __iter__(self) -> Iterator[tuple[float, NDArray[np.uint8]]]:
        """Yield time in seconds from the first frame, and pixels (H, W, 3) uint8 RGB."""
        start_s = None
        for index, frame in enumerate(self._decoded()):
            time_s = index / self.fps if frame.time is None else float(frame.time)
            start_s = time_s if start_s is None else start_s
            yield time_s - start_s, _upright(frame)

    def _decoded(self) -> Iterator[VideoFrame]:
        try:
            with av.open(str(self.path)) as container:
                yield from container.decode(container.streams.video[0])
        except av.FFmpegError as error:
            raise ValueError(f'{self.path} is damaged ({error}); convert it to mp4') from error


class VideoWriter:
    """
    An H.264 mp4 file that appears whole or not at all; use it as a context manager.

    Frames carry their own times, so the frame rate may vary. An odd last row or column of pixels
    is left out: H.264 with ordinary colours has even sizes.
    """

    def __init__(self, path: Path, width: int, height: int) -> None:
        self.path = path
        self._partial = path.with_name(f'.{path.stem}.partial{path.suffix}')
        self._width, self._height = width - width % 2, height - height % 2
        path.parent.mkdir(parents=True, exist_ok=True)

    def __enter__(self) -> 'VideoWriter':
        self._container = av.open(str(self._partial), 'w', options={'movflags': '+faststart'})
        self._stream = self._container.add_stream(
            'libx264', rate=30, options={'crf': '20', 'preset': 'veryfast'}
        )
        self._stream.width, self._stream.height = self._width, self._height
        self._stream.pix_fmt = 'yuv420p'
        self._stream.codec_context.time_base = TICK
        self._last_tick = -1
        return self

    def write(self, time_s: float, image: NDArray[np.uint8]) -> None:
        """Add a frame; time in seconds must rise, image (H, W, 3) uint8 RGB."""
        tick = round(time_s / TICK)
        if tick <= self._last_tick:
            raise ValueError(f'frame at {time_s} s does not come after the one before it')
        self._last_tick = tick
        pixels = np.ascontiguousarray(image[: self._height, : self._width])
        frame = VideoFrame.from_ndarray(pixels, format='rgb24')
        frame.pts, frame.time_base = tick, TICK
        self._container.mux(self._stream.encode(frame))

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        try:
            if kind is None:
                self._container.mux(self._stream.encode(None))
            self._container.close()
            if kind is None:
                self._partial.replace(self.path)
        finally:
            self._partial.unlink(missing_ok=True)


def _upright(frame: VideoFrame) -> NDArray[np.uint8]:
    image = frame.to_ndarray(format='rgb24')
    return np.ascontiguousarray(np.rot90(image, round(frame.rotation / 90)))
