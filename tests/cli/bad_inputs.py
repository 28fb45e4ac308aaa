"""Makes the bad files that the command line must refuse. A maker is given the folder to fill."""

from __future__ import annotations

import io
import json
import os
import stat
import struct
import warnings
import zipfile
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from safetensors.torch import save_file

from fer_tune.data import import_source
from fer_tune.models.registry import backbone

Maker = Callable[[Path], object]
MIB = 1024**2


def nothing(at: Path) -> None:
    pass


def together(*makers: Maker) -> Maker:
    def make(at: Path) -> None:
        for maker in makers:
            maker(at)

    return make


def file(name: str, content: bytes | str = "") -> Maker:
    def make(at: Path) -> None:
        path = at / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)

    return make


def folder(name: str) -> Maker:
    return lambda at: (at / name).mkdir()


# -- pictures ------------------------------------------------------------------------------


def noise(seed: int, side: int = 8) -> Image.Image:
    pixels = np.random.default_rng(seed).integers(0, 256, (side, side), dtype=np.uint8)
    return Image.fromarray(pixels)


def encoded(image: Image.Image, kind: str, **options: Any) -> bytes:
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


def members(
    classes: tuple[str, ...] = ("happy", "sad"), train: int = 3, test: int = 2
) -> dict[str, bytes]:
    """``SPLIT/CLASS/n.png`` to its bytes."""
    return {
        f"{split}/{name}/{n}.png": encoded(noise(seed_of(label, split, n)), "PNG")
        for label, name in enumerate(classes)
        for split, count in (("train", train), ("test", test))
        for n in range(count)
    }


def seed_of(label: int, split: str, n: int) -> int:
    return 1000 * label + 100 * (split == "test") + n


def pictures(classes: tuple[str, ...] = ("happy", "sad"), train: int = 3, test: int = 2) -> Maker:
    """The members as a folder ``src``."""
    found = members(classes, train, test)
    return together(*(file(f"src/{name}", content) for name, content in found.items()))


def among(name: str, content: bytes) -> Maker:
    """A good folder with one more file in it."""
    return together(pictures(), file(f"src/train/happy/{name}", content))


def png_claiming(width: int, height: int) -> bytes:
    def chunk(kind: bytes, body: bytes) -> bytes:
        crc = struct.pack(">I", zlib.crc32(kind + body))
        return struct.pack(">I", len(body)) + kind + body + crc

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    body = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


def row(emotion: object, count: int, value: object = 7, usage: str = "Training") -> str:
    return f"{emotion},{' '.join([str(value)] * count)},{usage}\n"


# -- zips ----------------------------------------------------------------------------------


def archive(found: Mapping[Any, bytes | int], method: int = zipfile.ZIP_DEFLATED) -> Maker:
    """``src.zip`` of names (or ``ZipInfo``) to contents; a number means so many zeros."""

    def make(at: Path) -> None:
        with zipfile.ZipFile(at / "src.zip", "w") as out:
            for name, content in found.items():
                out.writestr(name, bytes(content), method)

    return make


def link(name: str) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name)
    info.external_attr = (stat.S_IFLNK | 0o777) << 16
    return info


def lying_archive(method: int) -> Maker:
    """Its one member claims 1,000 bytes and expands to 128 MiB."""

    def make(at: Path) -> None:
        archive({"train/happy/1.bmp": 128 * MIB}, method)(at)
        raw = bytearray((at / "src.zip").read_bytes())
        for signature, place in ((b"PK\x03\x04", 22), (b"PK\x01\x02", 24)):
            start = raw.index(signature) + place
            raw[start : start + 4] = struct.pack("<I", 1000)
        (at / "src.zip").write_bytes(raw)

    return make


# -- packed datasets -----------------------------------------------------------------------


def packed(*makers: Maker) -> Maker:
    """What the makers make as ``src`` (by default good pictures), packed as ``packed``."""

    def make(at: Path) -> None:
        together(*(makers or [pictures()]))(at)
        import_source(str(at / "src"), at / "packed")

    return make


def described(**changes: Any) -> Maker:
    """A packed dataset whose ``dataset.json`` says something else (None: lacks the key)."""

    def make(at: Path) -> None:
        packed()(at)
        path = at / "packed/dataset.json"
        changed = {**json.loads(path.read_text()), **changes}
        path.write_text(json.dumps({k: v for k, v in changed.items() if v is not None}))

    return make


def cut_short(name: str, left: int) -> Maker:
    """A packed dataset of which one file has lost its end."""

    def make(at: Path) -> None:
        packed()(at)
        path = at / "packed" / name
        path.write_bytes(path.read_bytes()[:left])

    return make


# -- weights -------------------------------------------------------------------------------


class RunsCode:
    """Unpickling it would write a file beside the weights."""

    def __init__(self, at: Path) -> None:
        self.at = at

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, (f"touch {self.at / 'code_has_run'}",)


def state(name: str, **changes: torch.Tensor) -> dict[str, torch.Tensor]:
    return {**backbone(name).module().state_dict(), **changes}


def weights(make_content: Callable[[Path], object], suffix: str = "pth") -> Maker:
    """``w.SUFFIX`` with whatever the function makes."""

    def make(at: Path) -> None:
        content: Any = make_content(at)
        if suffix == "safetensors":
            save_file(content, at / f"w.{suffix}")
            return
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            torch.save(content, at / f"w.{suffix}")

    return make
