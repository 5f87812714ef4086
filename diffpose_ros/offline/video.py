"""Video files: read any, write H.264."""

from collections.abc import Iterator
from contextlib import ExitStack
from fractions import Fraction
from functools import cache
from itertools import chain, islice
import logging
import math
from pathlib import Path
from types import TracebackType
from typing import ClassVar

import av
from av.container import InputContainer, OutputContainer
from av.video.frame import VideoFrame
from av.video.stream import VideoStream
from diffpose_ros.core.clip import NANOSECONDS
from diffpose_ros.core.files import atomic_path
import numpy as np
from numpy.typing import NDArray

log = logging.getLogger(__name__)

TICK = Fraction(1, 90_000)  # seconds, MPEG's usual clock
MIN_SIDE = 2  # pixels, the smallest picture of H.264


class VideoReader:
    """
    The frames of a video file, upright, with their times, which rise.

    width, height  pixels, after a phone's rotation is undone
    fps            mean frame rate as the file states it
    stated         number of frames as the file states it, 0 = it does not
    frames         the same, or estimated from the length
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        if not path.is_file():
            raise FileNotFoundError(f'no video {path}; check the path')
        try:
            with av.open(str(path)) as container:
                stream = container.streams.video[0]
                first = next(container.decode(stream))
                self._first_s = first.time
                self.fps = float(stream.average_rate or stream.guessed_rate or 0)
                length_s = float((container.duration or 0) / av.time_base)
                self.stated = stream.frames
                self.frames = self.stated or round(length_s * self.fps)
        except (av.FFmpegError, IndexError, StopIteration) as error:
            raise ValueError(
                f'{path} has no readable video, or is cut off; give a whole mp4, for example'
            ) from error
        self.height, self.width = _upright(first).shape[:2]
        if min(self.height, self.width) < MIN_SIDE:
            raise ValueError(f'{path} is of {self.width}x{self.height} pixels; give a larger one')
        if self.fps <= 0:
            raise ValueError(f'{path} states no frame rate; convert it to mp4')

    def __iter__(self) -> Iterator[tuple[float, NDArray[np.uint8]]]:
        """Yield time in seconds from the first frame, and pixels (H, W, 3) uint8 RGB."""
        for time_ns, image in self.between(0, None):
            yield time_ns / NANOSECONDS, image

    def labelled(self, count: int) -> Iterator[NDArray[np.uint8]]:
        """Yield the pixels of the first frames; raise ValueError where that many are not."""
        seen = self.stated
        if not 0 < seen < count:  # else it is told before any work
            seen = 0
            for _, image in islice(self, count):
                seen += 1
                yield image
        if seen < count:
            raise ValueError(
                f'the file labels {count} frames, but {self.path} has {seen}; give the labels of '
                'this video'
            )

    def between(
        self, start_ns: int, stop_ns: int | None
    ) -> Iterator[tuple[int, NDArray[np.uint8]]]:
        """Yield time in ns and pixels of the frames from start_ns to before stop_ns."""
        frames = self._decode(start_ns)
        first = next(frames, None)
        if first is None or first[0] > start_ns:  # the file's index is wrong: look at all of it
            frames, first = self._decode(0), None
        for time_ns, frame in frames if first is None else chain([first], frames):
            if stop_ns is not None and time_ns >= stop_ns:
                return
            if time_ns >= start_ns:
                image = _upright(frame)
                if image.shape[:2] != (self.height, self.width):
                    raise ValueError(
                        f'{self.path} is of {self.width}x{self.height} pixels, but of others from '
                        f'{time_ns / NANOSECONDS:.2f} s on; cut it there'
                    )
                yield time_ns, image

    def _decode(self, start_ns: int) -> Iterator[tuple[int, VideoFrame]]:
        """
        Yield frames from the key frame before start_ns on; without times, from the first.

        A frame that is not later than the one before is passed over, as players do.
        """
        last_ns = -math.inf
        try:
            with av.open(str(self.path)) as container:
                stream = container.streams.video[0]
                if start_ns > 0 and self._first_s is not None and stream.time_base:
                    start_s = self._first_s + start_ns / NANOSECONDS
                    container.seek(int(start_s / stream.time_base), stream=stream)
                for index, frame in enumerate(self._decodable(container, stream)):
                    time_ns = self._time_ns(index, frame)
                    if time_ns > last_ns:
                        last_ns = time_ns
                        yield time_ns, frame
        except av.FFmpegError as error:
            warn_once(self.path, f'{error}; nothing can be read behind that place')

    def _decodable(self, container: InputContainer, stream: VideoStream) -> Iterator[VideoFrame]:
        for packet in container.demux(stream):
            try:
                yield from packet.decode()
            except av.InvalidDataError as error:
                warn_once(self.path, f'{error}; images there are left out')

    def _time_ns(self, index: int, frame: VideoFrame) -> int:
        if frame.time is None or self._first_s is None:
            return round(index / self.fps * NANOSECONDS)
        return round((frame.time - self._first_s) * NANOSECONDS)


class VideoWriter:
    """
    An H.264 mp4 file that appears whole or not at all; use it as a context manager.

    Frames carry their own times, so the rate may vary; fps says how long the last one lasts. An
    odd last row or column of pixels is left out: H.264 with ordinary colours has even sizes. The
    same frames give the same bytes: one thread encodes, since bytes depend on the number of
    threads, and x264's macroblock tree is off, since it lets memory decide that nobody has
    written to.
    """

    ENCODER: ClassVar = {
        'crf': '20',
        'preset': 'veryfast',
        'threads': '1',
        'x264-params': 'mbtree=0',
    }

    def __init__(self, path: Path, width: int, height: int, fps: float = 30.0) -> None:
        self.path = path
        self._fps = Fraction(fps).limit_denominator(TICK.denominator)
        self._width, self._height = width - width % 2, height - height % 2

    def __enter__(self) -> 'VideoWriter':
        self._open = ExitStack()
        partial = self._open.enter_context(atomic_path(self.path))
        container, self._stream = h264(partial, self._width, self._height, self._fps, self.ENCODER)
        self._container = self._open.enter_context(container)
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
        if kind is not None:
            self._open.__exit__(kind, error, traceback)
            return
        with self._open:
            self._container.mux(self._stream.encode(None))


def h264(
    path: Path, width: int, height: int, fps: Fraction, encoder: dict[str, str]
) -> tuple[OutputContainer, VideoStream]:
    """Open an mp4 file of even size with one H.264 stream, encoded with x264's options."""
    container = av.open(str(path), 'w', options={'movflags': '+faststart'})
    stream = container.add_stream('libx264', rate=fps, options=encoder)
    stream.width, stream.height, stream.pix_fmt = width, height, 'yuv420p'
    return container, stream


@cache
def warn_once(video: Path, trouble: str) -> None:
    """Tell what is damaged, not again with every reading."""
    log.warning('%s is damaged: %s', video, trouble)


def _upright(frame: VideoFrame) -> NDArray[np.uint8]:
    image = frame.to_ndarray(format='rgb24')
    return np.ascontiguousarray(np.rot90(image, round(frame.rotation / 90)))
