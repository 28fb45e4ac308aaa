"""A file or folder in an object store, with those methods of ``pathlib.Path`` that are used."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from errno import ENOENT
from typing import Any

from fer_tune.storage.trying import trying
from fer_tune.storage.urls import Address, filesystem_of

#: Bytes of a piece of a large file, and pieces that are fetched at a time: one stream of a store
#: is slower than most networks.
PIECE = 8 * 2**20
_AT_ONCE = 6


class UrlPath:
    """``s3://bucket/key?query`` or ``gs://…``; cheap to make, asks nothing before it is used.

    An object store has no folders: one is there as long as anything is in it, and a file is
    written whole or not at all. ``str`` leaves out credentials, :attr:`url` has them.

    Every method raises OSError (:func:`fer_tune.storage.trying.trying`) when the store refuses,
    or does not answer for too long.

    Raises:
        ResultsError: a URL of a store that is not known here, or without a bucket.
    """

    def __init__(self, url: str | Address) -> None:
        self._address = url if isinstance(url, Address) else Address.of(url)

    def __str__(self) -> str:
        return self._address.url(secret=False)

    def __repr__(self) -> str:
        return f"UrlPath({str(self)!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, UrlPath) and self._address == other._address

    def __hash__(self) -> int:
        return hash(self._address)

    def __truediv__(self, name: str) -> UrlPath:
        key = "/".join(part for part in (self._address.key, name.strip("/")) if part)
        return UrlPath(replace(self._address, key=key))

    # -- names ------------------------------------------------------------------------------

    @property
    def url(self) -> str:
        """The whole URL, credentials included: for other processes, never for people."""
        return self._address.url(secret=True)

    @property
    def path(self) -> str:
        """``bucket/key``, as :attr:`filesystem` wants it."""
        address = self._address
        return f"{address.bucket}/{address.key}" if address.key else address.bucket

    @property
    def filesystem(self) -> Any:
        """The ``pyarrow.fs.FileSystem`` that it is in."""
        return filesystem_of(self._address)

    @property
    def name(self) -> str:
        """The last part."""
        return self.path.rpartition("/")[2]

    def resolve(self) -> UrlPath:
        """Itself: every process understands it alike."""
        return self

    # -- content ----------------------------------------------------------------------------

    def read_bytes(self) -> bytes:
        def read() -> bytes:
            with self.filesystem.open_input_file(self.path) as file:
                content: bytes = file.read()
            return content

        return trying(str(self), read)

    def read_text(self, encoding: str = "utf-8", errors: str = "strict") -> str:
        return self.read_bytes().decode(encoding, errors)

    def pieces(self, size: int = PIECE) -> Iterator[bytes]:
        """The content in order, ``size`` bytes at a time; some are fetched ahead.

        Each is asked for again while the store does not answer. A file that is replaced meanwhile
        may come out mixed: whoever reads checks what came.
        """
        file = trying(str(self), lambda: self.filesystem.open_input_file(self.path))
        length = trying(str(self), file.size)

        def read(start: int) -> bytes:
            piece: bytes = trying(str(self), lambda: file.read_at(size, start))
            return piece

        pool, coming = ThreadPoolExecutor(_AT_ONCE), deque[Future[bytes]]()
        try:
            for start in range(0, length, size):
                coming.append(pool.submit(read, start))
                if len(coming) == _AT_ONCE:
                    yield coming.popleft().result()
            while coming:
                yield coming.popleft().result()
        finally:
            pool.shutdown(cancel_futures=True)
            file.close()

    def write_bytes(self, content: bytes, *, before: Callable[[], None] | None = None) -> None:
        """Writes the file whole, in place of what stood there.

        Args:
            before: called before every attempt; what it raises ends them.
        """

        filesystem = self.filesystem

        def put() -> None:
            with filesystem.open_output_stream(self.path) as file:
                file.write(content)

        def write() -> None:
            if before is not None:
                before()
            # Ctrl-C interrupts the main thread alone. Here it would close the file, and the store
            # take for whole what had been written.
            with ThreadPoolExecutor(1, "write") as thread:
                thread.submit(put).result()

        try:
            trying(str(self), write)
        except FileNotFoundError:  # Google's client does not say what is not there
            raise FileNotFoundError(ENOENT, "there is no such bucket", str(self)) from None

    def unlink(self, missing_ok: bool = False) -> None:
        try:
            trying(str(self), lambda: self.filesystem.delete_file(self.path))
        except FileNotFoundError:
            if not missing_ok:
                raise

    def remove_tree(self) -> None:
        """Removes everything beneath; nothing may be there."""
        try:
            trying(str(self), lambda: self.filesystem.delete_dir(self.path))
        except FileNotFoundError:
            return

    # -- what is there ----------------------------------------------------------------------

    def is_file(self) -> bool:
        from pyarrow.fs import FileType

        return bool(self._info().type == FileType.File)

    def is_dir(self) -> bool:
        from pyarrow.fs import FileType

        return bool(self._info().type == FileType.Directory)

    def exists(self) -> bool:
        from pyarrow.fs import FileType

        return bool(self._info().type != FileType.NotFound)

    def has_bucket(self) -> bool:
        """Whether the bucket is there, as far as one is allowed to know."""
        try:
            return UrlPath(replace(self._address, key="")).is_dir()
        except OSError:
            return True

    def size(self) -> int:
        """Of the file, in bytes.

        Raises:
            FileNotFoundError: it is not there.
        """
        size = self._info().size
        if size is None:
            raise FileNotFoundError(ENOENT, "is not there", str(self))
        return int(size)

    def written_at(self) -> float | None:
        """When the file was written by the store's clock, in seconds since the Unix epoch."""
        written = self._info().mtime
        return None if written is None else float(written.timestamp())

    def iterdir(self) -> Iterator[UrlPath]:
        """What lies in the folder, by name; nothing where there is none."""
        # Of Google's folders a listing shows those alone that were made; with all files come all.
        start, every = len(self.path) + 1, self._address.scheme == "gs"
        names = {info.path[start:].partition("/")[0] for info in self._list(recursive=every)}
        return iter(self / name for name in sorted(names))

    def files(self) -> list[UrlPath]:
        """The files in the folder, by name."""
        from pyarrow.fs import FileType

        return [self / info.base_name for info in self._list() if info.type == FileType.File]

    def _info(self) -> Any:
        return trying(str(self), lambda: self.filesystem.get_file_info(self.path))

    def _list(self, *, recursive: bool = False) -> list[Any]:
        from pyarrow.fs import FileSelector

        selector = FileSelector(self.path, allow_not_found=True, recursive=recursive)
        found = trying(str(self), lambda: self.filesystem.get_file_info(selector))
        return sorted(found, key=lambda info: str(info.base_name))
