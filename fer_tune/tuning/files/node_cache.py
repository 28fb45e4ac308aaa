"""Copies of the search's files on a node: made once, named by their checksums, shared by trials.

A copy is a folder of the local cache (``local_cache.py``), ``dataset-3f2a…``, named by the
checksums of its files.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from fer_tune.errors import EnvironmentFault
from fer_tune.tuning.files.local_cache import cached_folder

Kind = Literal["dataset", "weights"]
#: Gives a file's bytes by its name, in order, in pieces of any size.
Pieces = Callable[[str], Iterable[memoryview]]


@dataclass(frozen=True, kw_only=True)
class BundledFile:
    """One file of a bundle; ``size`` in bytes, ``sha256`` as 64 hex digits."""

    name: str
    size: int
    sha256: str


@dataclass(frozen=True, kw_only=True)
class Bundle:
    """Files that every node needs, without their content."""

    kind: Kind
    files: tuple[BundledFile, ...]

    @classmethod
    def of(cls, kind: Kind, paths: Mapping[str, Path]) -> Bundle:
        """The bundle of files on this machine, ``paths`` by their names in the bundle.

        Raises:
            OSError: one cannot be read.
        """
        files = [
            BundledFile(name=name, size=path.stat().st_size, sha256=_sha256(path))
            for name, path in sorted(paths.items())
        ]
        return cls(kind=kind, files=tuple(files))

    @property
    def name(self) -> str:
        """Of its folder: the same for the same files, wherever they came from."""
        content = json.dumps([[file.name, file.sha256] for file in self.files])
        return f"{self.kind}-{hashlib.sha256(content.encode()).hexdigest()[:32]}"

    @property
    def size(self) -> int:
        """In bytes."""
        return sum(file.size for file in self.files)


def node_copy(bundle: Bundle, cache: Path, pieces: Pieces) -> Path:
    """The folder with this node's copy of ``bundle``, made now if it is missing or damaged.

    Args:
        cache: folder of this node's copies; created if missing.
        pieces: the content, asked for only if it is needed.

    Raises:
        EnvironmentFault: no room or no permission to write, or a checksum mismatch.
    """
    folder = cache / bundle.name
    files = {file.name: file for file in bundle.files}

    def fill(scratch: Path) -> None:
        for file in bundle.files:
            _write(scratch / file.name, file, pieces(file.name), bundle.kind)

    return cached_folder(
        folder,
        bundle.kind,
        names=files,
        is_valid=lambda name: _sha256(folder / name) == files[name].sha256,
        size=lambda: bundle.size,
        fill=fill,
    )


def _write(path: Path, file: BundledFile, pieces: Iterable[memoryview], kind: Kind) -> None:
    digest = hashlib.sha256()
    with path.open("wb") as out:
        for piece in pieces:
            digest.update(piece)
            out.write(piece)
    if digest.hexdigest() != file.sha256:
        raise EnvironmentFault(
            f"{file.name} of the {kind} does not have the expected checksum after the transfer",
            where=str(path.parent.parent),
            value=digest.hexdigest()[:12],
            remedy=f"The file was changed on the machine that started the search; restore the one "
            f"with sha256 {file.sha256[:12]}, or start a new search",
        )


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
