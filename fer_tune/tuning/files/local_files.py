"""Files of a search that need a file system, when its results folder is at a URL.

Ray's own folder, TensorBoard's event files, the Optuna journal and ``search.log`` are written to a
folder of this machine. All but Ray's are copied to the URL now and then and at the end. They are
mirrors: nothing that a resume needs is among them.
"""

from __future__ import annotations

import hashlib
import logging
import os
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from fer_tune.errors import ResultsError, because, is_temporary
from fer_tune.process.home import home_folder
from fer_tune.schema import TooLarge, read_at_most
from fer_tune.schema.limits import GIB
from fer_tune.storage import AnyPath, UrlPath
from fer_tune.storage.private import private_folder
from fer_tune.tuning.log.lease import Lease
from fer_tune.tuning.log.log_file import LOG_FILE

logger = logging.getLogger(__name__)

#: Seconds between two copies to the URL.
MIRROR_INTERVAL_S = 15.0
JOURNAL_FILE = "optuna.journal"
#: Files of an earlier session at the URL that this one appends to.
_CONTINUED = (LOG_FILE, JOURNAL_FILE)
_CONTINUED_BYTES = GIB
_NOT_MIRRORED = ("ray",)


@contextmanager
def open_local_folder(root: AnyPath, lease: Lease | None = None) -> Iterator[Path]:
    """The folder for local files: the results folder itself, or one that is mirrored to the URL.

    Args:
        lease: of the URL; once it is lost, nothing more is copied.

    Raises:
        ResultsError: the URL cannot be read, or the folder cannot be created.
    """
    if isinstance(root, Path):
        yield root
        return
    folder = search_folder(root)
    try:
        private_folder(folder.parent)
        shutil.rmtree(folder, ignore_errors=True)  # an earlier session's
        private_folder(folder)
        for name in _CONTINUED:
            if (root / name).is_file():
                (folder / name).write_bytes(read_at_most(root / name, _CONTINUED_BYTES))
    except TooLarge as error:
        raise ResultsError(
            str(error),
            where=str(root / name),
            remedy="Move it elsewhere: a resume does not need it",
        ) from None
    except OSError as error:
        raise ResultsError(
            f"cannot be prepared: {because(error)}",
            where=str(error.filename or root),
            remedy="Check the URL and the free space in the cache folder, or set XDG_CACHE_HOME to "
            "another folder",
            temporary=is_temporary(error),
        ) from None
    mirror = Mirror(folder, root, lease)
    try:
        yield folder
    finally:
        mirror.close()
        for name in _NOT_MIRRORED:  # the user may look at the rest here, too
            shutil.rmtree(folder / name, ignore_errors=True)


def search_folder(root: UrlPath) -> Path:
    """Local files of a search at ``root``: below ``$XDG_CACHE_HOME``, by default ``~/.cache``."""
    digest = hashlib.sha256(str(root).encode()).hexdigest()[:12]
    return _searches() / f"{root.name}-{digest}"


def _searches() -> Path:
    set_by_user = os.environ.get("XDG_CACHE_HOME")
    if set_by_user:
        return Path(set_by_user) / "fer_tune" / "searches"
    return home_folder() / ".cache" / "fer_tune" / "searches"


class Mirror:
    """Copies the files of a folder that have changed, in rounds, until it is closed."""

    def __init__(self, folder: Path, target: UrlPath, lease: Lease | None = None) -> None:
        self._folder, self._target, self._lease = folder, target, lease
        self._copied = dict(self._files())
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._rounds, name="mirror", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Copies a last time; if the store is unavailable, this is logged."""
        self._over.set()
        self._thread.join()
        self.round()

    def round(self) -> None:
        """Copies every file that has changed; after an error the rest waits for the next call."""
        for name, state in self._files():
            if self._lease is not None and self._lease.is_lost:
                return
            if self._copied.get(name) == state:
                continue
            try:
                (self._target / name).write_bytes((self._folder / name).read_bytes())
            except FileNotFoundError:
                continue  # deleted since it was listed
            except OSError as error:
                logger.info("%s: not copied: %s", error.filename, error.strerror)
                return
            self._copied[name] = state

    def _rounds(self) -> None:
        while not self._over.wait(MIRROR_INTERVAL_S):
            self.round()

    def _files(self) -> Iterator[tuple[str, tuple[int, int]]]:
        """Names and states of the mirrored files; skips files that vanish meanwhile."""
        for parent, folders, names in os.walk(self._folder):
            if Path(parent) == self._folder:
                folders[:] = [folder for folder in folders if folder not in _NOT_MIRRORED]
            for path in (Path(parent, name) for name in sorted(names)):
                if path.name.startswith(".") or path.suffix == ".lock":
                    continue
                try:
                    found = path.stat()
                except FileNotFoundError:
                    continue
                name = path.relative_to(self._folder).as_posix()
                yield name, (found.st_mtime_ns, found.st_size)
