"""The folder of the user's cache for what a page needs and takes long to make or to download."""

from __future__ import annotations

import os
from pathlib import Path

from fer_tune.errors import EnvironmentFault, reporting
from fer_tune.process import home_folder
from fer_tune.storage.private import private_folder


def cache_folder(name: str) -> Path:
    """The private folder ``web/NAME`` below ``$XDG_CACHE_HOME``, by default ``~/.cache``.

    Raises:
        EnvironmentFault: it cannot be made, or others can write to it.
    """
    set_by_user = os.environ.get("XDG_CACHE_HOME")
    root = Path(set_by_user) if set_by_user else home_folder() / ".cache"
    folder = root / "fer_tune" / "web" / name
    remedy = "Or set XDG_CACHE_HOME to a folder that you can write to"
    with reporting("cannot be used as a cache", folder, remedy, EnvironmentFault):
        private_folder(folder)
    return folder
