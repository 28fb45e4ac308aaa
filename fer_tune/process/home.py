"""A home folder for a user without one.

Either there is no ``HOME`` and no entry in the system's user database; or the home is ``/`` (Docker
sets that for a user without an entry) or a folder that does not exist (``/nonexistent``), and the
user cannot write there. Containers often run as such a user. Python, Ray, torch and matplotlib all
need a home, for caches.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from fer_tune.errors import EnvironmentFault, reporting


def ensure_home() -> None:
    """Sets ``HOME`` to a private folder below the temporary one, if there is no usable home.

    A home that exists is kept, unless it is ``/`` and cannot be written; so is one that does not
    exist yet and that the user can create.

    Raises:
        EnvironmentFault: it cannot be created, or belongs to another user.
    """
    try:
        usable = _is_usable(Path.home())
    except RuntimeError:
        usable = False
    if not usable:
        os.environ["HOME"] = str(_private(Path(tempfile.gettempdir())))


def home_folder() -> Path:
    """The user's home folder, after :func:`ensure_home`."""
    ensure_home()
    return Path.home()


def _is_usable(home: Path) -> bool:
    if home != Path("/") and os.path.exists(home):
        return True
    existing = next(folder for folder in (home, *home.parents) if os.path.exists(folder))
    return os.access(existing, os.W_OK | os.X_OK)


def _private(parent: Path) -> Path:
    from fer_tune.storage.private import private_folder  # which needs this package itself

    # The same for every command of this user, so that fetched weights are found again.
    folder = parent / f"fer_tune-home-{os.getuid()}"
    what = "this user has no usable home folder, and the folder used instead is unusable"
    remedy = "Or set HOME to a folder that you can write to"
    with reporting(what, folder, remedy, EnvironmentFault):
        private_folder(folder)
    return folder
