"""The folder of the feature bank; needs no torch."""

from __future__ import annotations

import errno
import os
import re
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from fer_tune.storage.private import private_folder

#: A full disk is no reason to reject a bank.
FULL = (errno.ENOSPC, errno.EDQUOT)
#: Most bytes of a bank whose bound the user does not set.
MOST_BYTES = 32 * 1024**3
ABANDONED_S = 3600.0  # a writer touches its file every chunk; this long without one, it is dead
_SHARE = 0.25  # of the disk that is free or taken by the bank

KEY = "[0-9a-f]{40}"
#: Entries begin with a label (:func:`label`); those of earlier versions have none.
ENTRY = re.compile(rf"(?:(?P<backbone>[a-z0-9]+)-(?P<crop>\d+)px-depth(?P<depth>\d)\.)?{KEY}\.npy")
SCRATCH = re.compile(rf"\.{KEY}\.[0-9a-f]{{32}}\.npy")
LOCK = re.compile(rf"\.{KEY}\.lock")
#: What stands for the backbone in labels of pictures that passed through none.
PICTURES = "pictures"


def label(backbone: str | None, crop_size: int, depth: int) -> str:
    """How the name of an entry's file begins: what it holds, for ``fer-tune bank show``."""
    return f"{backbone or PICTURES}-{crop_size}px-depth{depth}."


def bank_folder() -> Path:
    """``$FER_TUNE_BANK``, or a folder of this user's on the machine's temporary disk.

    Not in the user's cache: a home directory is often on a network, or small.
    """
    set_by_user = os.environ.get("FER_TUNE_BANK")
    return Path(set_by_user or Path(tempfile.gettempdir()) / f"fer_tune-bank-{os.getuid()}")


def check_folder(root: Path) -> None:
    """Creates the folder of a bank, or checks an existing one.

    Raises:
        OSError: it cannot be used.
    """
    private_folder(root)
    try:
        with tempfile.TemporaryFile(dir=root):
            pass
    except OSError as error:
        if error.errno not in FULL:
            raise


def default_bound(root: Path) -> int:
    """Bytes that a bank in ``root`` may take: a quarter of what is free or taken by it already.

    So it does not shrink as the bank fills. At most 32 GiB.

    Raises:
        OSError: the disk cannot be read.
    """
    there = next(path for path in (root, *root.absolute().parents) if path.exists())
    own = sum(found.st_size for _, found in own_files(root, ENTRY)) if root.is_dir() else 0
    return min(MOST_BYTES, int((shutil.disk_usage(there).free + own) * _SHARE))


def own_files(root: Path, *patterns: re.Pattern[str]) -> Iterator[tuple[Path, os.stat_result]]:
    """The bank's own files of some kinds: its folder may hold other files."""
    for path in root.iterdir():
        if any(pattern.fullmatch(path.name) for pattern in patterns):
            with suppress(FileNotFoundError):
                found = path.lstat()
                if stat.S_ISREG(found.st_mode):
                    yield path, found
