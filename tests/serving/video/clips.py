"""Small videos, made with PyAV."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]

#: Sound samples per second.
SOUND = 16_000
#: Display matrices of ISO/IEC 14496-12 by the clockwise turn in degrees.
TURNS = {
    90: (0, 65536, 0, -65536, 0, 0, 0, 0, 1 << 30),
    180: (-65536, 0, 0, 0, -65536, 0, 0, 0, 1 << 30),
    270: (0, -65536, 0, 65536, 0, 0, 0, 0, 1 << 30),
}


def scene(number: int, width: int = 160, height: int = 120) -> Pixels:
    """A frame: dark above, brighter below, with a bright square that moves to the right."""
    rgb = np.full((height, width, 3), 40, dtype=np.uint8)
    rgb[height // 2 :] = 90
    left = (4 * number) % (width - 20)
    rgb[10:30, left : left + 20] = (230, 200, 60)
    return rgb


def make(
    path: Path,
    frames: Sequence[Pixels] | None = None,
    *,
    rate: int = 25,
    stamps: Sequence[int] | None = None,
    base: Fraction | None = None,
    sound: str | None = None,
    codec: str = "libx264",
    options: dict[str, str] | None = None,
    container: dict[str, str] | None = None,
    aspect: Fraction | None = None,
) -> Path:
    """Writes a clip; 32 frames of :func:`scene` by default.

    Args:
        stamps: of the frames, in units of ``base``; by default at a constant rate.
        sound: its codec; None for none.
    """
    import av

    frames = [scene(number) for number in range(32)] if frames is None else frames
    height, width = frames[0].shape[:2]
    with av.open(str(path), "w", options=container or {}) as out:
        stream = out.add_stream(codec, rate=rate, options=options or {"crf": "10"})
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        if base is not None:
            stream.codec_context.time_base = base
        if aspect is not None:
            stream.codec_context.sample_aspect_ratio = aspect
        noise = out.add_stream(sound, rate=SOUND) if sound else None
        for number, rgb in enumerate(frames):
            frame = av.VideoFrame.from_ndarray(rgb, format="rgb24")
            if stamps is not None:
                frame.pts, frame.time_base = stamps[number], base
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
        if noise is not None:
            for packet in tone(noise, len(frames) / rate):
                out.mux(packet)
    return path


def tone(stream: Any, seconds: float) -> Iterator[Any]:
    """Encoded sound of that length."""
    import av

    wave = (np.sin(np.arange(int(SOUND * seconds)) / 8) * 8000).astype(np.int16)[None]
    frame = av.AudioFrame.from_ndarray(wave, format="s16", layout="mono")
    frame.sample_rate = SOUND
    yield from stream.encode(frame)
    yield from stream.encode(None)


def only_sound(path: Path) -> Path:
    """A file with a second of sound and nothing else."""
    import av

    with av.open(str(path), "w") as out:
        for packet in tone(out.add_stream("aac", rate=SOUND), 1.0):
            out.mux(packet)
    return path


def turned(path: Path, degrees: int) -> Path:
    """Writes into an MP4 file that its frames are to be shown turned clockwise."""
    content = bytearray(path.read_bytes())
    at = content.index(b"tkhd") + 4 + 40
    content[at : at + 36] = struct.pack(">9i", *TURNS[degrees])
    path.write_bytes(content)
    return path


def cut(path: Path, share: float) -> Path:
    """Cuts a file off."""
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])
    return path
