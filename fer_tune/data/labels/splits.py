"""Splits that the names of folders and files give."""

from __future__ import annotations

import re
from pathlib import PurePosixPath

from fer_tune.data.listing import Reading


def split_of_folders(path: PurePosixPath, reading: Reading) -> str | None:
    """The split of the deepest folder that names one."""
    named = (reading.split(part) for part in reversed(path.parts[:-1]))
    return next((split for split in named if split), None)


def split_of_name(path: PurePosixPath, reading: Reading) -> str | None:
    """The split in a file's name (``train_labels.csv``), or of its folders.

    A name with words of two splits (``train_and_test.csv``) names neither.
    """
    words = [path.stem, *re.split(r"[^a-z]+", path.stem.casefold())]
    said = {split for word in words if word and (split := reading.split(word))}
    if len(said) == 1:
        return said.pop()
    return None if said else split_of_folders(path, reading)
