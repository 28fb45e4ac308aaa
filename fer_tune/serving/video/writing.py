"""A copy of a video with other frames: the same times, the same sound."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from fer_tune.data.pixels import Pixels
from fer_tune.errors import UserError, because
from fer_tune.serving.extras import needs
from fer_tune.serving.video.reading import Sound, Video
from fer_tune.storage.scratch import scratch

#: Suffixes of the containers that hold H.264 and play everywhere.
WRITABLE = (".mp4", ".m4v", ".mov", ".mkv")
_SCRATCH = ".fer_tune-video-"
#: Encoders, the best first, with their options; PyAV's wheels have both.
_ENCODERS = (("libx264", {"preset": "veryfast", "crf": "20"}), ("mpeg4", {"qscale": "3"}))
#: MPEG-4 part 2 stores the denominator of its time base in 16 bits.
_MPEG4_BASE = Fraction(1, 60_000)
_BT709, _NARROW = 1, 1


class VideoWriter:
    """Writes frames and copies sound; use :func:`written`.

    Attributes:
        codec: the encoder's name.
        notes: what could not be kept, for people.
    """

    def __init__(self, container: Any, source: Video) -> None:
        self.notes: list[str] = []
        self._container, self._source = container, source
        self.codec, self._options = _encoder()
        self._stream: Any = None
        self._sound: dict[int, Any] = {}
        self._sounded: dict[int, int] = {}
        self._waiting: list[Sound] = []
        self._last = -1

    def write(self, pixels: Pixels, time: float) -> None:
        """Adds a frame.

        Args:
            pixels: uint8 (h, w, 3); of the first frame's size.
            time: in seconds, not before the last frame's.
        """
        av = needs("video", "av")
        if self._stream is None:
            self._begin(pixels.shape[1], pixels.shape[0])
        frame = av.VideoFrame.from_ndarray(_even(pixels), format="rgb24").reformat(
            format="yuv420p", dst_colorspace="ITU709", dst_color_range="MPEG"
        )
        base = self._stream.codec_context.time_base
        self._last = frame.pts = max(round(time / base), self._last + 1)
        frame.time_base = base
        self._container.mux(self._stream.encode(frame))

    def copy(self, sound: Sound) -> None:
        """Adds a packet of sound as it is; nothing if its stream could not be kept."""
        if self._stream is None:
            self._waiting.append(sound)
            return
        packet = sound.packet
        source = packet.stream.index
        stream = self._sound.get(source)
        if stream is None:
            return
        shift = round(sound.start / packet.time_base)
        dts = packet.dts - shift
        if dts <= self._sounded.get(source, dts - 1):  # a damaged file; containers refuse it
            return
        self._sounded[source] = dts
        packet.dts = dts
        packet.pts = None if packet.pts is None else packet.pts - shift
        packet.stream = stream
        try:
            self._container.mux(packet)
        except ValueError as error:  # of FFmpeg: not of the disk
            self._sound[source] = None
            self.notes.append(f"the rest of the sound was left out: {because(error)}")

    def finish(self) -> None:
        """Writes what the encoder still holds."""
        if self._stream is not None:
            self._container.mux(self._stream.encode(None))

    def _begin(self, width: int, height: int) -> None:
        # The container's header lists all streams, and the first packet writes it.
        self._stream = self._encoding(width, height)
        self._sound = {one.index: self._copied(one) for one in self._source.audio}
        for sound in self._waiting:
            self.copy(sound)
        self._waiting = []

    def _encoding(self, width: int, height: int) -> Any:
        rate = Fraction(self._source.rate or 25).limit_denominator(1001)
        stream = self._container.add_stream(self.codec, rate=rate, options=dict(self._options))
        stream.width, stream.height = width + width % 2, height + height % 2
        stream.pix_fmt = "yuv420p"
        context = stream.codec_context
        is_fine = self._source.time_base.denominator > 65_535 and self.codec == "mpeg4"
        context.time_base = _MPEG4_BASE if is_fine else self._source.time_base
        context.colorspace = context.color_primaries = context.color_trc = _BT709
        context.color_range = _NARROW
        return stream

    def _copied(self, source: Any) -> Any:
        """The stream for a source's sound; None, with a note, if the container has no place."""
        av = needs("video", "av")
        name = source.codec_context.name
        try:
            # FFmpeg has raw sound in MP4, but then packets are refused, and players know none.
            raw = name.startswith("pcm_") and self._container.format.name == "mp4"
            if name in self._container.supported_codecs and not raw:
                return self._container.add_stream_from_template(source)
        except (av.FFmpegError, ValueError):
            pass
        self.notes.append(f"the sound was left out: this container cannot hold {name}")
        return None


@contextmanager
def written(target: Path, source: Video) -> Iterator[VideoWriter]:
    """A writer for ``target``, which appears under its name when the block ends without an error.

    Args:
        target: with a suffix of ``WRITABLE``.

    Raises:
        UserError: the file cannot be written.
    """
    av = needs("video", "av")
    assert target.suffix.casefold() in WRITABLE
    try:
        with scratch(target.parent, _SCRATCH) as folder:
            partial = folder / f"video{target.suffix.casefold()}"
            with av.open(str(partial), "w") as container:
                writer = VideoWriter(container, source)
                yield writer
                writer.finish()
            os.replace(partial, target)
    except (av.FFmpegError, OSError) as error:
        raise UserError(
            f"the video cannot be written: {because(error)}",
            where=str(target),
            remedy="Check the path given as --out, and the free space",
        ) from None


def _encoder() -> tuple[str, dict[str, str]]:
    av = needs("video", "av")
    for name, options in _ENCODERS:
        try:
            av.Codec(name, "w")
        except ValueError:  # UnknownCodecError
            continue
        return name, options
    raise UserError("this PyAV can encode neither H.264 nor MPEG-4", remedy="Install av's wheel")


def _even(pixels: Pixels) -> Pixels:
    """With even sides, as half of the resolution of the colours needs; the last row is repeated."""
    height, width = pixels.shape[:2]
    if height % 2 or width % 2:
        return np.pad(pixels, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
    return np.ascontiguousarray(pixels)
