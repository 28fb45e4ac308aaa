"""A file or folder in an object store, with those methods of ``pathlib.Path`` that are used."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from errno import EINVAL, ENOENT
from typing import Any

from fer_tune.storage.retry import with_retries
from fer_tune.storage.urls import Address, filesystem_of, server_options

#: Bytes of a piece of a large file, and pieces that are fetched at a time: one stream of a store
#: is slower than most networks.
PIECE = 8 * 2**20
_AT_ONCE = 6


class UrlPath:
    """``s3://bucket/key?query`` or ``gs://…``; cheap to create, makes no request before use.

    An object store has no folders: one is there as long as anything is in it, and a file is
    written atomically. ``str`` leaves out credentials, :attr:`url` has them.

    Every method raises OSError (:func:`fer_tune.storage.retry.with_retries`) when the store
    rejects the request or stays unavailable.

    Raises:
        ResultsError: a URL of an unsupported store, or without a bucket.
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
        """The whole URL, credentials included: for other processes, never for output."""
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

    @property
    def server_options(self) -> str:
        """As of :func:`fer_tune.storage.urls.server_options`."""
        return server_options(self._address)

    def resolve(self) -> UrlPath:
        """Itself: a URL means the same in every process."""
        return self

    # -- content ----------------------------------------------------------------------------

    def read_bytes(self) -> bytes:
        def read() -> bytes:
            with self.filesystem.open_input_file(self.path) as file:
                return bytes(file.read())

        return with_retries(str(self), read)

    def read_within(self, most: int) -> tuple[int, bytes]:
        """Size of the file in bytes, and its content; no content if it has more than ``most``."""

        def read() -> tuple[int, bytes]:
            with self.filesystem.open_input_file(self.path) as file:
                size = int(file.size())
                return size, file.read() if size <= most else b""

        return with_retries(str(self), read)

    def read_text(self, encoding: str = "utf-8", errors: str = "strict") -> str:
        return self.read_bytes().decode(encoding, errors)

    def pieces(self, size: int = PIECE) -> Iterator[bytes]:
        """The content in order, ``size`` bytes at a time; some are fetched ahead.

        Each is retried while the store is unavailable. A file that is replaced meanwhile
        may come out mixed: the caller checks the content.
        """
        file = with_retries(str(self), lambda: self.filesystem.open_input_file(self.path))
        length = with_retries(str(self), file.size)

        def read(start: int) -> bytes:
            return bytes(with_retries(str(self), lambda: file.read_at(size, start)))

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
        """Writes the file atomically, replacing an existing one.

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
            # would keep a partial file as complete.
            with ThreadPoolExecutor(1, "write") as thread:
                thread.submit(put).result()

        try:
            with_retries(str(self), write)
        except FileNotFoundError:  # Google's client does not say what is missing
            raise FileNotFoundError(ENOENT, "there is no such bucket", str(self)) from None

    def unlink(self, missing_ok: bool = False) -> None:
        attempts = 0

        def delete() -> None:
            nonlocal attempts
            attempts += 1
            self.filesystem.delete_file(self.path)

        try:
            with_retries(str(self), delete)
        except FileNotFoundError:
            # An attempt whose response was lost may have deleted it.
            if not missing_ok and attempts == 1:
                raise

    def remove_tree(self) -> None:
        """Removes everything below, if there is anything."""
        with suppress(FileNotFoundError):
            with_retries(str(self), lambda: self.filesystem.delete_dir(self.path))

    # -- existing entries ----------------------------------------------------------------------

    def is_file(self) -> bool:
        return self._kind() == "File"

    def is_dir(self) -> bool:
        return self._kind() == "Directory"

    def exists(self) -> bool:
        return self._kind() != "NotFound"

    def has_bucket(self) -> bool:
        """Whether the bucket exists, as far as the credentials show."""
        try:
            return UrlPath(replace(self._address, key="")).is_dir()
        except OSError:
            return True

    def size(self) -> int:
        """Of the file, in bytes.

        Raises:
            FileNotFoundError: there is no such file.
        """
        size = self._info().size
        if size is None:
            raise FileNotFoundError(ENOENT, "not found", str(self))
        return int(size)

    def written_at(self) -> float | None:
        """When the file was written by the store's clock, in seconds since the Unix epoch."""
        written = self._info().mtime
        return None if written is None else float(written.timestamp())

    def iterdir(self) -> Iterator[UrlPath]:
        """The entries of the folder, by name; none if there is no such folder."""
        # Google lists only folders that were created explicitly; a recursive listing shows all.
        start, every = len(self.path) + 1, self._address.scheme == "gs"
        names = {info.path[start:].partition("/")[0] for info in self._list(recursive=every)}
        return iter(self / name for name in sorted(names))

    def files(self) -> list[UrlPath]:
        """The files in the folder, by name."""
        return [self / info.base_name for info in self._list() if info.is_file]

    def refuse_names_outside(self) -> None:
        """Raises OSError if the name of an object in the folder leads out of a copy of it."""
        for info in self._list(recursive=True):
            if ".." in info.path.split("/"):
                raise OSError(EINVAL, "an object's name leads outside the folder", str(self))

    def _kind(self) -> str:
        """ "File", "Directory" or "NotFound"."""
        return str(self._info().type.name)

    def _info(self) -> Any:
        return with_retries(str(self), lambda: self.filesystem.get_file_info(self.path))

    def _list(self, *, recursive: bool = False) -> list[Any]:
        from pyarrow.fs import FileSelector

        selector = FileSelector(self.path, allow_not_found=True, recursive=recursive)
        found = with_retries(str(self), lambda: self.filesystem.get_file_info(selector))
        return sorted(found, key=lambda info: str(info.base_name))
