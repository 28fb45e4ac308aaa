"""A packed dataset in an object store: downloaded and checked, or uploaded.

The same three files as in a folder, each an object. The description is uploaded last: without it
there is no dataset.
"""

from __future__ import annotations

import errno
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from functools import cached_property
from pathlib import Path
from typing import Any

from fer_tune.data.dataset import (
    DESCRIPTION,
    INDEX,
    PIXELS,
    DatasetIndex,
    PackedDataset,
    checked_index,
    parse_description,
)
from fer_tune.data.readings.places import LEDGER
from fer_tune.errors import DataError, EnvironmentFault, reporting
from fer_tune.schema import TooLarge, read_at_most
from fer_tune.schema.limits import DESCRIPTION_BYTES, GIB, INDEX_BYTES
from fer_tune.storage import AnyPath, UrlPath, put_folder
from fer_tune.storage.paths import scratch_folder

#: Written and removed to check write access.
_PROBE = ".writable"
_FOLDER = "Use the URL of a folder that `fer-tune data import SOURCE --out URL` made"
_AGAIN = "Upload it again: `fer-tune data import SOURCE --out URL --force`"
_ROOM = "The dataset is made here before its upload: free up space, or set TMPDIR to a larger disk"
_ACCESS = (
    "Check the URL, and the permissions of this machine: AWS_PROFILE, AWS_ACCESS_KEY_ID or a role "
    "for s3://, GOOGLE_APPLICATION_CREDENTIALS or a role for gs://"
)


class DatasetAtUrl:
    """A packed dataset at a URL; makes no request before it is used.

    Everything raises DataError when there is no dataset, it is damaged, or the store reports an
    error.
    """

    def __init__(self, url: UrlPath) -> None:
        self.url = url

    @cached_property
    def description(self) -> dict[str, Any]:
        """``dataset.json``, its format, version and fingerprint checked."""
        return parse_description(self._content, self.url)

    @property
    def fingerprint(self) -> str:
        """64 hex digits, as the description has it."""
        return str(self.description["fingerprint"])

    @cached_property
    def size(self) -> int:
        """Bytes of the three files."""
        return len(self._content) + sum(map(self._size_of, (INDEX, PIXELS)))

    def index(self) -> DatasetIndex:
        """The index, read again; of the pixels only the size is checked."""
        description, pixels = self.description, self._size_of(PIXELS)
        if self._size_of(INDEX) > INDEX_BYTES:
            raise self._damaged(f"{INDEX} has more than {INDEX_BYTES / GIB:g} GiB")
        content = b"".join(self._pieces(INDEX))
        with self._put_again():
            index = checked_index(content, description, pixels, self.url)
        return DatasetIndex(self.url, description, index)

    def bring(self, folder: Path, advance: Callable[[int], Any]) -> None:
        """Writes the files into ``folder`` and checks every picture against its content hash.

        Args:
            advance: called with the number of bytes of every piece.

        Raises:
            OSError: from the disk.
        """
        (folder / DESCRIPTION).write_bytes(self._content)
        advance(len(self._content))
        for name in (INDEX, PIXELS):
            with (folder / name).open("wb") as out:
                for piece in self._pieces(name):
                    out.write(piece)
                    advance(len(piece))
        with self._put_again():
            dataset = PackedDataset.open(folder)
        if (wrong := dataset.damaged()) is not None:
            raise self._damaged(
                f"picture {wrong} of {PIXELS} differs from {INDEX} ({dataset.origins[wrong]})"
            )

    @cached_property
    def _content(self) -> bytes:
        with _reaching(self.url, "read"):
            try:
                return read_at_most(self.url / DESCRIPTION, DESCRIPTION_BYTES)
            except TooLarge as error:
                raise self._damaged(f"{DESCRIPTION} is {error}") from None
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
        # Disk errors of the consumer between two pieces are not caught here.
        with _reaching(self.url, "read"):
            try:
                yield from (self.url / name).pieces()
            except FileNotFoundError:
                raise self._damaged(f"{name} is missing") from None

    @contextmanager
    def _put_again(self) -> Iterator[None]:
        """Damage found in a copy is reported for the URL."""
        try:
            yield
        except DataError as error:
            raise DataError(
                error.what, where=str(self.url), remedy=_AGAIN, temporary=error.temporary
            ) from None

    def _damaged(self, what: str) -> DataError:
        return DataError(f"packed dataset is damaged: {what}", where=str(self.url), remedy=_AGAIN)


def index_at(where: AnyPath) -> DatasetIndex:
    """The index of a packed dataset; at a URL only the index is downloaded, and not kept.

    Where the index at a URL is older than the search for near copies, the pixels are downloaded
    once more for that.

    Raises:
        DataError: no dataset, another version, damaged, or an error of the store.
    """
    if isinstance(where, Path):
        return PackedDataset.open(where)
    there = DatasetAtUrl(where)
    index = there.index()
    if index.recorded_related is None:
        with scratch_folder() as folder:
            there.bring(folder, lambda done: None)
            index.recorded_related = PackedDataset.open(folder).related
    return index


@contextmanager
def made_at(out: AnyPath, *, force: bool) -> Iterator[Path]:
    """The folder to make a dataset in: ``out`` itself, or one that is uploaded to the URL.

    Args:
        force: replace a packed dataset that is at the URL.

    Raises:
        DataError: something else is at the URL, or it cannot be written to. If the upload fails,
            no dataset is left there.
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
            _check_target(out, force)  # hours may have passed since the first check
            _put(folder, out)


def _check_target(out: UrlPath, force: bool) -> None:
    there = {entry.name for entry in out.iterdir()} - {_PROBE}
    if there - {DESCRIPTION, INDEX, PIXELS, LEDGER} or out.is_file():
        raise DataError(
            "this is not a packed dataset",
            where=str(out),
            remedy="Choose another --out",
        )
    if DESCRIPTION in there and not force:
        raise DataError(
            "there is already a packed dataset",
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


def _reaching(url: UrlPath, to_be: str) -> AbstractContextManager[None]:
    """Reports what the store denies; ``to_be``: "read" or "written"."""
    return reporting(f"cannot be {to_be}", url, _ACCESS, DataError)
