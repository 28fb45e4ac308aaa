"""Frames of a video file, one after the other: RGB as it is meant to be shown, with its time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cached_property
from pathlib import Path
from typing import Any

from fer_tune.data.pixels import Pixels
from fer_tune.errors import DataError, because
from fer_tune.serving.extras import needs
from fer_tune.serving.video.files import first_bytes, is_video_content
from fer_tune.serving.video.orientation import orientation_of, upright
from fer_tune.storage.links import open_file

#: Pixels of the largest frame that is decoded: a little more than 8K.
MOST_PIXELS = 36_000_000
#: A pixel that is more often as wide as high is a mistake in the file.
_MOST_STRETCHED = 4
#: What libavformat may read. Not playlists, which name other files and addresses, nor pictures.
_FORMATS = (
    "3g2,3gp,aac,asf,avi,dv,flac,flv,h264,hevc,ivf,m4a,m4v,matroska,mj2,mov,mp3,mp4,mpeg,mpegts,"
    "mpegvideo,mxf,nut,ogg,rm,wav,webm,wtv,yuv4mpegpipe"
)
#: Missing seconds from which a file counts as cut off; durations in headers are rounded.
_CUT_OFF_S = 0.3
_DEFAULT_RATE = 25.0


@dataclass(frozen=True, kw_only=True, eq=False)
class Frame:
    """A frame of a video.

    Attributes:
        number: from 0.
        time: when it is shown, in seconds from the start of the video; increases strictly.
    """

    number: int
    time: float
    _decoded: Any
    _size: tuple[int, int]

    @cached_property
    def pixels(self) -> Pixels:
        """uint8 (h, w, 3), upright, with square pixels; converted when first asked for."""
        width, height = self._size
        rgb = self._decoded.to_ndarray(format="rgb24", width=width, height=height)
        return upright(rgb, orientation_of(self._decoded))


@dataclass(frozen=True, kw_only=True, eq=False)
class Sound:
    """An encoded packet of an audio stream, to be copied.

    Attributes:
        packet: PyAV's.
        start: of the video in the file's time, in seconds.
    """

    packet: Any
    start: Fraction


@dataclass(kw_only=True, eq=False)
class Video:
    """An open video file.

    Attributes:
        name: for people.
        duration: in seconds, as the file says; None if it does not.
        rate: frames per second, on average; None if the file does not say.
        time_base: of its time stamps, in seconds.
        audio: PyAV's audio streams.
        end: when the last frame read so far ends, in seconds.
    """

    name: str
    duration: float | None
    rate: float | None
    time_base: Fraction
    audio: tuple[Any, ...]
    end: float = 0.0
    _container: Any
    _stream: Any
    _start: Fraction
    _damaged: int = 0
    _packets: int = 0
    _reached: float = 0.0
    _stopped: str | None = None
    _last: float | None = None
    _size: tuple[int, int] | None = field(default=None)

    def parts(self) -> Iterator[Frame | Sound]:
        """Frames and sound in the order of the file; once. Frames are not kept.

        Raises:
            DataError: no frame can be decoded, or one is too large.
        """
        number = 0
        for packet in self._demuxed():
            if packet is None or packet.stream is self._stream:
                for decoded in self._decode(packet):
                    yield self._frame(decoded, number)
                    number += 1
            elif packet.dts is not None and packet.stream in self.audio:
                yield Sound(packet=packet, start=self._start)
        if not number:
            raise DataError("no frame of this video can be decoded", where=self.name)

    def damage(self) -> str | None:
        """What was missing or broken in what was read; None if nothing was."""
        found = []
        if self._damaged:
            found.append(f"{self._damaged} damaged packet{'s' * (self._damaged != 1)} left out")
        if self._stopped is not None:
            found.append(f"reading stopped at {self.end:.1f} s: {self._stopped}")
        elif self._is_cut_off():
            found.append(f"the file ends at {self.end:.1f} of {self.duration:.1f} s")
        return "; ".join(found) or None

    def _is_cut_off(self) -> bool:
        """Whether the file promises more than it had."""
        if self.duration is None or self._reached > self.duration - _CUT_OFF_S:
            return False
        # The last frame of a screen recording may be shown for long: all packets are there then.
        return not self._stream.frames or self._packets < self._stream.frames

    def _demuxed(self) -> Iterator[Any]:
        """The packets, then None: what the decoder still holds."""
        av = needs("video", "av")
        packets = self._container.demux()
        while True:
            try:
                packet = next(packets)
            except StopIteration:
                break
            except (av.FFmpegError, OSError) as error:
                self._stopped = because(error)
                break
            if packet.size:
                self._note(packet)
                yield packet
        yield None

    def _note(self, packet: Any) -> None:
        if packet.stream is self._stream:
            self._packets += 1
        if packet.pts is not None and packet.time_base:
            end = (packet.pts + (packet.duration or 0)) * packet.time_base - self._start
            self._reached = max(self._reached, float(end))

    def _decode(self, packet: Any) -> list[Any]:
        av = needs("video", "av")
        try:
            decoded: list[Any] = self._stream.decode(packet)
        except av.FFmpegError:
            self._damaged += 1
            return []
        return decoded

    def _frame(self, decoded: Any, number: int) -> Frame:
        _check_size(decoded.width, decoded.height, self.name)
        if self._size is None:
            self._size = _square(decoded, self._stream)
        step = 1 / (self.rate or _DEFAULT_RATE)
        # The frames that the decoder held at the end know no time base.
        base = self.time_base
        time = None if decoded.pts is None else float(decoded.pts * base - self._start)
        if self._last is None:
            time = time or 0.0
        elif time is None:
            time = self._last + step
        elif time <= self._last:
            time = self._last + min(step, 0.001)
        self._last = time
        length = float((decoded.duration or 0) * base)
        self.end = time + (length or step)
        return Frame(number=number, time=time, _decoded=decoded, _size=self._size)


@contextmanager
def open_video(path: Path) -> Iterator[Video]:
    """Opens a video file.

    Raises:
        DataError: not a video, or one that cannot be read.
        EnvironmentFault: PyAV is not installed.
    """
    av = needs("video", "av")
    name = str(path)
    try:
        file = open(open_file(path.resolve()), "rb")  # noqa: SIM115
    except OSError as error:
        raise DataError(f"cannot be read: {because(error)}", where=name) from None
    with file:
        if not file.peek(1):
            raise DataError("the file is empty", where=name, remedy="Copy the video again")
        try:
            container = av.open(file, options={"format_whitelist": _FORMATS})
        except (av.FFmpegError, OSError) as error:
            raise _unreadable(path, because(error)) from None
        with container:
            yield _opened(container, name)


def _opened(container: Any, name: str) -> Video:
    stream = _video_stream(container, name)
    stream.codec_context.thread_type = "AUTO"
    seconds = container.duration
    return Video(
        name=name,
        duration=None if seconds is None or seconds <= 0 else seconds / 1_000_000,
        rate=_rate(stream),
        time_base=stream.time_base or Fraction(1, 1000),
        audio=tuple(one for one in container.streams.audio if one.codec_context is not None),
        _container=container,
        _stream=stream,
        _start=Fraction(container.start_time or 0, 1_000_000),
    )


def _video_stream(container: Any, name: str) -> Any:
    # A cover is a picture beside the sound.
    videos = [one for one in container.streams.video if not _is_cover(one)]
    if not videos:
        has = "only sound" if container.streams.audio else "no video stream"
        raise DataError(f"no video: the file has {has}", where=name)
    stream = videos[0]
    if stream.codec_context is None:
        raise DataError(
            "the video's codec is unknown",
            where=name,
            remedy="Convert it to H.264 in MP4 with ffmpeg",
        )
    _check_size(stream.codec_context.width, stream.codec_context.height, name)
    return stream


def _is_cover(stream: Any) -> bool:
    return "attached_pic" in str(stream.disposition)


def _check_size(width: int, height: int, name: str) -> None:
    if width * height > MOST_PIXELS:
        raise DataError(
            f"frames must have at most {MOST_PIXELS:,} pixels",
            where=name,
            value=f"{width} × {height}",
            remedy="Scale the video down with ffmpeg",
        )


def _rate(stream: Any) -> float | None:
    rate = stream.average_rate
    return float(rate) if rate and 0 < rate <= 1000 else None


def _square(decoded: Any, stream: Any) -> tuple[int, int]:
    """Width and height of a frame with square pixels, before it is turned upright."""
    shape = stream.sample_aspect_ratio or Fraction(1)
    if not Fraction(1, _MOST_STRETCHED) <= shape <= _MOST_STRETCHED:
        shape = Fraction(1)
    return max(1, round(decoded.width * shape)), int(decoded.height)


def _unreadable(path: Path, reason: str) -> DataError:
    if is_video_content(first_bytes(path)):
        return DataError(
            f"the video cannot be opened, as when a recording was cut off: {reason}",
            where=str(path),
            remedy="Copy it again, or repair it",
        )
    return DataError(
        f"not a video: {reason}",
        where=str(path),
        remedy="Videos are MP4, MOV, MKV, WebM, AVI or MPEG files",
    )


def frames_of(video: Video) -> Iterator[Frame]:
    """The frames alone; see :meth:`Video.parts`."""
    return (part for part in video.parts() if isinstance(part, Frame))
