"""Checks of a file to write, before the work that makes its content."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from fer_tune.errors import UserError

if TYPE_CHECKING:
    from fer_tune.storage import AnyPath


def check_target(target: AnyPath, option: str) -> None:
    """Checks that a file can be written there; nothing is checked of a URL.

    Args:
        option: that named it, for messages.

    Raises:
        UserError: a folder, or in a folder that is missing or cannot be written to.
    """
    if not isinstance(target, Path):
        return
    folder = target.absolute().parent
    problem, remedy = "", "Use another file name"
    try:
        if target.is_dir():
            problem = "is a folder, not a file"
        elif not folder.is_dir():
            problem, remedy = "the folder for it does not exist", f"Create {folder} first"
        elif not os.access(folder, os.W_OK | os.X_OK):
            problem, remedy = "the folder for it cannot be written to", "Check its permissions"
    except OSError as error:
        problem = f"cannot be used: {error.strerror}"
    if problem:
        raise UserError(problem, where=option, value=str(target), remedy=remedy)
