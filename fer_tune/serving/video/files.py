"""Which files are videos, by name and by content."""

from __future__ import annotations

from pathlib import Path, PurePath

from fer_tune.storage.links import open_file

#: Suffixes of videos, casefolded.
SUFFIXES = frozenset(
    (
        *(".3g2", ".3gp", ".asf", ".avi", ".divx", ".flv", ".m2ts", ".m4v", ".mkv", ".mov", ".mp4"),
        *(".mpeg", ".mpg", ".mts", ".mxf", ".ogv", ".ts", ".vob", ".webm", ".wmv"),
    )
)
#: What ``ftyp`` of still pictures (AVIF, HEIC) begins with; they share the container of MP4.
_STILL = (b"avif", b"heic", b"heix", b"mif1", b"msf1")
_MAGIC = (
    b"\x1aE\xdf\xa3",  # Matroska, WebM
    b"FLV\x01",
    b"0&\xb2u\x8ef\xcf\x11",  # ASF, WMV
    b"\x00\x00\x01\xba",  # MPEG program stream
)
#: Bytes of a packet of an MPEG transport stream, which begins with "G".
_TS_PACKET = 188


def is_video_name(name: str) -> bool:
    """Whether the suffix is that of a video."""
    return PurePath(name).suffix.casefold() in SUFFIXES


def is_video_file(path: Path) -> bool:
    """Whether a file is named like a video, or its first bytes are those of one."""
    if not path.is_file():
        return False
    return is_video_name(path.name) or is_video_content(first_bytes(path))


def first_bytes(path: Path) -> bytes:
    """The beginning of a file; empty if it cannot be read."""
    try:
        with open(open_file(path.resolve()), "rb") as file:
            return file.read(2 * _TS_PACKET)
    except OSError:
        return b""


def is_video_content(head: bytes) -> bool:
    """Whether a file that begins with ``head`` is a video, whatever its name."""
    if head[4:8] in (b"ftyp", b"moov", b"mdat", b"wide"):
        return head[8:12] not in _STILL
    if head[:4] == b"RIFF":
        return head[8:12] == b"AVI "
    transport = len(head) > _TS_PACKET and head[0] == head[_TS_PACKET] == 0x47
    return head.startswith(_MAGIC) or transport
