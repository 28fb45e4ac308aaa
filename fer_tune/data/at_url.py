"""A packed dataset in an object store: brought here whole and checked, or put there.

The same three files as in a folder, each an object. The description comes last when a dataset is
put there, so that without it there is none.
"""

from __future__ import annotations

import errno
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import cached_property
from pathlib import Path
from typing import Any

import pyarrow as pa

from fer_tune.data.dataset import (
    DESCRIPTION,
    INDEX,
    PIXELS,
    DatasetIndex,
    PackedDataset,
    checked_index,
    parse_description,
)
from fer_tune.errors import DataError, EnvironmentFault
from fer_tune.storage import Place, UrlPath, put_folder
from fer_tune.storage.places import scratch_folder

#: Written and removed to see whether one may.
_PROBE = ".writable"
_FOLDER = "Name the URL of a folder that `fer-tune data import SOURCE --out URL` made"
_AGAIN = "Put it there again: `fer-tune data import SOURCE --out URL --force`"
_ROOM = "The dataset is made here before it is put there: make room, or set TMPDIR to a larger disk"
_ACCESS = (
    "Check the URL, and what this machine may do there: AWS_PROFILE, AWS_ACCESS_KEY_ID or a role "
    "for s3://, GOOGLE_APPLICATION_CREDENTIALS or a role for gs://"
)


class DatasetAtUrl:
    """A packed dataset that lies at a URL; asks nothing before it is used.

    Everything raises DataError when there is none, it is damaged, or the store refuses or stays
    away.
    """

    def __init__(self, url: UrlPath) -> None:
        self.url = url

    @cached_property
    def description(self) -> dict[str, Any]:
        """``dataset.json``, its format, version and fingerprint checked."""
        description = parse_description(self._content, self.url)
        if not re.fullmatch("[0-9a-f]{64}", str(description["fingerprint"])):
            raise self._damaged(f"{DESCRIPTION} has no fingerprint")
        return description

    @property
    def fingerprint(self) -> str:
        """64 hex digits, as the description has it."""
        return str(self.description["fingerprint"])

    @cached_property
    def size(self) -> int:
        """Bytes of the three files."""
        return len(self._content) + sum(map(self._size_of, (INDEX, PIXELS)))

    def index(self) -> DatasetIndex:
        """The index, read anew; of the pixels no more is known than that there are as many."""
        description, pixels = self.description, self._size_of(PIXELS)
        content = pa.BufferReader(b"".join(self._pieces(INDEX)))
        with self._put_again():
            index = checked_index(content, description, pixels, self.url)
        return DatasetIndex(self.url, description, index)

    def bring(self, folder: Path, came: Callable[[int], Any]) -> None:
        """Writes the files into ``folder`` and checks every picture against its content hash.

        Args:
            came: told of the bytes of every piece.

        Raises:
            OSError: the disk refuses.
        """
        (folder / DESCRIPTION).write_bytes(self._content)
        came(len(self._content))
        for name in (INDEX, PIXELS):
            with (folder / name).open("wb") as out:
                for piece in self._pieces(name):
                    out.write(piece)
                    came(len(piece))
        with self._put_again():
            dataset = PackedDataset.open(folder)
        if (wrong := dataset.damaged()) is not None:
            raise self._damaged(
                f"picture {wrong} of {PIXELS} is another than {INDEX} says "
                f"({dataset.origins[wrong]})"
            )

    @cached_property
    def _content(self) -> bytes:
        with _reaching(self.url, "read"):
            try:
                return (self.url / DESCRIPTION).read_bytes()
            except FileNotFoundError:
                if not self.url.has_bucket():
                    raise _no_bucket(self.url) from None
                raise DataError(
                    f"not a packed dataset: no {DESCRIPTION} here",
                    where=str(self.url),
                    remedy=_FOLDER,
                ) from None

    def _size_of(self, name: str) -> int:
        with _reaching(self.url, "read"):
            try:
                return (self.url / name).size()
            except FileNotFoundError:
                raise self._damaged(f"{name} is missing") from None

    def _pieces(self, name: str) -> Iterator[bytes]:
        # What the consumer raises between two pieces, of its disk, does not come by here.
        with _reaching(self.url, "read"):
            try:
                yield from (self.url / name).pieces()
            except FileNotFoundError:
                raise self._damaged(f"{name} is missing") from None

    @contextmanager
    def _put_again(self) -> Iterator[None]:
        """What is found to be damaged is so at the URL."""
        try:
            yield
        except DataError as error:
            raise DataError(error.what, where=str(self.url), remedy=_AGAIN) from None

    def _damaged(self, what: str) -> DataError:
        return DataError(f"packed dataset is damaged: {what}", where=str(self.url), remedy=_AGAIN)


def index_at(where: Place) -> DatasetIndex:
    """The index of a packed dataset; of one at a URL nothing more is fetched, and nothing kept.

    Raises:
        DataError: none, another version, damaged, or the store refuses or stays away.
    """
    return PackedDataset.open(where) if isinstance(where, Path) else DatasetAtUrl(where).index()


@contextmanager
def made_at(out: Place, *, force: bool) -> Iterator[Path]:
    """The folder to make a dataset in: ``out`` itself, or one that is put up to the URL at the end.

    Args:
        force: replace a packed dataset that is at the URL.

    Raises:
        DataError: something else is at the URL, or it cannot be written to. Once putting up has
            begun, none is there then.
        EnvironmentFault: the temporary folder has no room.
    """
    if isinstance(out, Path):
        yield out
        return
    with _reaching(out, "written"):
        _check_target(out, force)
        (out / _PROBE).write_bytes(b"")
        (out / _PROBE).unlink()
    with scratch_folder() as scratch:
        folder = scratch / "packed"
        try:
            yield folder
        except EnvironmentFault as error:
            if error.where != str(folder):
                raise
            raise EnvironmentFault(error.what, where=str(scratch), remedy=_ROOM) from None
        with _reaching(out, "written"):
            _check_target(out, force)  # hours may lie between the first check and now
            _put(folder, out)


def _check_target(out: UrlPath, force: bool) -> None:
    there = {entry.name for entry in out.iterdir()} - {_PROBE}
    if there - {DESCRIPTION, INDEX, PIXELS} or out.is_file():
        raise DataError(
            "something else than a packed dataset is here",
            where=str(out),
            remedy="Choose another --out",
        )
    if DESCRIPTION in there and not force:
        raise DataError(
            "a packed dataset already stands here",
            where=str(out),
            remedy="Choose another --out, or replace it with --force",
        )


def _put(folder: Path, out: UrlPath) -> None:
    description = folder.parent / DESCRIPTION
    (folder / DESCRIPTION).rename(description)
    try:
        (out / DESCRIPTION).unlink(missing_ok=True)
        put_folder(folder, out)
        (out / DESCRIPTION).write_bytes(description.read_bytes())
    except BaseException:
        for name in (DESCRIPTION, INDEX, PIXELS):
            with suppress(OSError):
                (out / name).unlink(missing_ok=True)
        raise


def _no_bucket(url: UrlPath) -> OSError:
    return FileNotFoundError(errno.ENOENT, "there is no such bucket", str(url))


@contextmanager
def _reaching(url: UrlPath, to_be: str) -> Iterator[None]:
    """Says what the store refuses; ``to_be``: "read" or "written"."""
    try:
        yield
    except OSError as error:
        raise DataError(
            f"cannot be {to_be}: {error.strerror or error}", where=str(url), remedy=_ACCESS
        ) from None
