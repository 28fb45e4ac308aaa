"""Small sources with labels of every kind, for tests."""

from __future__ import annotations

import io
import tarfile
from collections import Counter
from pathlib import Path

import numpy as np
from noise_pictures import noise
from PIL import Image

from fer_tune.data.importing import preview_source
from fer_tune.data.listing import LabelOptions, Listing

Found = dict[tuple[str, str | None], int]


def png(seed: int, *, side: int = 8) -> bytes:
    """An encoded picture, different for each seed."""
    out = io.BytesIO()
    Image.fromarray(noise(seed, side=side)[:, :, 0]).save(out, "PNG")
    return out.getvalue()


def put(path: Path, seed: int) -> None:
    """A picture in a file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(png(seed))


def add(archive: tarfile.TarFile, name: str, content: bytes) -> None:
    """A member of a tar."""
    member = tarfile.TarInfo(name)
    member.size = len(content)
    archive.addfile(member, io.BytesIO(content))


def lines(path: Path, *rows: str) -> Path:
    """A text file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{row}\n" for row in rows), encoding="utf-8")
    return path


def pixels(seed: int, *, side: int = 3, channels: int = 1) -> str:
    """A picture in a CSV's cell."""
    return " ".join(map(str, noise(seed, side=side, channels=channels).ravel()))


def listed(source: Path, **labels: object) -> Listing:
    """What would be imported."""
    return preview_source(str(source), labels=LabelOptions(**labels))  # type: ignore[arg-type]


def counted(listing: Listing) -> Found:
    """Pictures by class and split."""
    return dict(Counter((entry.class_name, entry.split) for entry in listing.entries))


def by_origin(listing: Listing) -> dict[str, str]:
    """The class of every picture."""
    return {entry.origin: entry.class_name for entry in listing.entries}


def is_noise(listing: Listing, origin: str, seed: int, *, side: int = 8) -> bool:
    """Whether a picture is the one with that seed."""
    (entry,) = [entry for entry in listing.entries if entry.origin == origin]
    return np.array_equal(entry.load(), noise(seed, side=side))
