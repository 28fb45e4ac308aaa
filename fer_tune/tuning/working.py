"""What of a search only a file system can keep, when its results folder is at a URL.

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

from fer_tune.errors import ResultsError
from fer_tune.storage import Place, UrlPath
from fer_tune.tuning.claim import Claim
from fer_tune.tuning.logs import LOG_FILE

logger = logging.getLogger(__name__)

#: Seconds between two rounds of copying.
ROUND_S = 15.0
JOURNAL_FILE = "optuna.journal"
#: What an earlier sitting left at the URL and this one goes on with.
_CONTINUED = (LOG_FILE, JOURNAL_FILE)
_STAYS_HERE = ("ray",)


@contextmanager
def working_folder(root: Place, claim: Claim | None = None) -> Iterator[Path]:
    """The folder to work in: the results folder itself, or one whose files are copied to the URL.

    Args:
        claim: of the URL; once it is lost, nothing is copied any more.

    Raises:
        ResultsError: the URL cannot be read, or the folder cannot be made.
    """
    if isinstance(root, Path):
        yield root
        return
    folder = cache_folder(root)
    try:
        shutil.rmtree(folder, ignore_errors=True)  # an earlier sitting's
        folder.mkdir(parents=True, exist_ok=True)
        for name in _CONTINUED:
            if (root / name).is_file():
                (folder / name).write_bytes((root / name).read_bytes())
    except OSError as error:
        raise ResultsError(
            f"cannot be prepared: {error.strerror or error}",
            where=str(error.filename or root),
            remedy="Check the URL and the free space in the cache folder",
        ) from None
    mirror = Mirror(folder, root, claim)
    try:
        yield folder
    finally:
        mirror.close()
        for name in _STAYS_HERE:  # what else there is may be looked at here, too
            shutil.rmtree(folder / name, ignore_errors=True)


def cache_folder(root: UrlPath) -> Path:
    """Where a search at ``root`` works: below ``$XDG_CACHE_HOME``, by default ``~/.cache``."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    digest = hashlib.sha256(str(root).encode()).hexdigest()[:12]
    return cache / "fer_tune" / "searches" / f"{root.name}-{digest}"


class Mirror:
    """Copies the files of a folder that have changed, in rounds, until it is closed."""

    def __init__(self, folder: Path, target: UrlPath, claim: Claim | None = None) -> None:
        self._folder, self._target, self._claim = folder, target, claim
        self._copied = dict(self._files())
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._rounds, name="mirror", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """The last round; a store that is away is told in the log."""
        self._over.set()
        self._thread.join()
        self.round()

    def round(self) -> None:
        """Copies every file that is not as it was copied last; the rest waits for the next."""
        for name, state in self._files():
            if self._claim is not None and self._claim.is_lost:
                return
            if self._copied.get(name) == state:
                continue
            try:
                (self._target / name).write_bytes((self._folder / name).read_bytes())
            except FileNotFoundError:
                continue  # gone since it was listed
            except OSError as error:
                logger.info("%s: not copied: %s", error.filename, error.strerror)
                return
            self._copied[name] = state

    def _rounds(self) -> None:
        while not self._over.wait(ROUND_S):
            self.round()

    def _files(self) -> Iterator[tuple[str, tuple[int, int]]]:
        """Names and states of what is copied; passes over what goes meanwhile."""
        for parent, folders, names in os.walk(self._folder):
            if Path(parent) == self._folder:
                folders[:] = [folder for folder in folders if folder not in _STAYS_HERE]
            for path in (Path(parent, name) for name in sorted(names)):
                if path.name.startswith(".") or path.suffix == ".lock":
                    continue
                try:
                    found = path.stat()
                except FileNotFoundError:
                    continue
                name = path.relative_to(self._folder).as_posix()
                yield name, (found.st_mtime_ns, found.st_size)
